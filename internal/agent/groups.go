package agent

import "github.com/kubedemo/memhog-operator/internal/cgroup"

// Kernel are the control groups of the node, as they are mounted at a folder.
func Kernel(root string) (Groups, error) {
	h, err := cgroup.Mounted(root)
	if err != nil {
		return nil, err
	}
	return mounted{h}, nil
}

type mounted struct{ hierarchy *cgroup.Hierarchy }

// Open implements Groups.
func (m mounted) Open(pod, id string) (group, error) {
	folder, err := m.hierarchy.Find(pod, id)
	if err != nil {
		return nil, err
	}
	return m.hierarchy.Open(folder)
}
