package olm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	apiv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubedemo/memhog-operator/test/olm"
)

// catalog is a CatalogSource, and the releases in it.
type catalog struct {
	story    *story
	ref      string
	source   *apiv1alpha1.CatalogSource
	releases []string
}

// gains adds a version to the catalog and pushes its bundle. Each one replaces the one before.
func (c *catalog) gains(bundle olm.Bundle) {
	c.story.t.Helper()
	t := c.story.t
	image, err := bundle.Image(t.Context())
	must(t, err)
	operator := env.operator
	operator.Ref = olm.OperatorRef(bundle.Version)
	must(t, env.images.Push(t.Context(), image, operator))
	c.releases = append(c.releases, bundle.Version)
	rendered, err := env.renderer.Render(t.Context(), c.template(), env.images)
	must(t, err)
	pushed, err := env.renderer.Image(t.Context(), rendered, c.ref)
	must(t, err)
	must(t, env.images.Push(t.Context(), pushed))
}

// template is like the one in config/catalog, with the story's releases.
func (c *catalog) template() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schema: olm.template.basic\nentries:\n- schema: olm.package\n  name: %s\n  defaultChannel: stable\n", olm.Package)
	for _, channel := range []string{"stable", "candidate"} {
		fmt.Fprintf(&b, "- schema: olm.channel\n  package: %s\n  name: %s\n  entries:\n", olm.Package, channel)
		for i, version := range c.releases {
			fmt.Fprintf(&b, "  - name: %s\n", olm.CSVName(version))
			if i > 0 {
				fmt.Fprintf(&b, "    replaces: %s\n", olm.CSVName(c.releases[i-1]))
			}
		}
	}
	for _, version := range c.releases {
		fmt.Fprintf(&b, "- schema: olm.bundle\n  image: %s\n", olm.BundleRef(version))
	}
	return b.String()
}

// catalog serves the bundle of the repository. It looks for news of its image's tag every few seconds.
func (s *story) catalog(name string) *catalog {
	s.t.Helper()
	c := &catalog{story: s, ref: strings.Replace(olm.CatalogRef, "catalog", name, 1)}
	c.gains(env.bundle)
	c.source = &apiv1alpha1.CatalogSource{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: olm.ManagerNamespace},
		Spec: apiv1alpha1.CatalogSourceSpec{
			SourceType: apiv1alpha1.SourceTypeGrpc, Image: c.ref, DisplayName: "memhog-operator", Publisher: "kubedemo",
			GrpcPodConfig: &apiv1alpha1.GrpcPodConfig{SecurityContextConfig: apiv1alpha1.Restricted},
			UpdateStrategy: &apiv1alpha1.UpdateStrategy{RegistryPoll: &apiv1alpha1.RegistryPoll{
				RawInterval: "10s", Interval: &metav1.Duration{Duration: 10 * time.Second},
			}},
		},
	}
	s.create(c.source)
	s.awaits("the catalog "+name+" answers", func(ctx context.Context) error {
		seen := c.source.DeepCopy()
		if err := env.client.Get(ctx, keyOf(c.source), seen); err != nil {
			return err
		}
		if state := seen.Status.GRPCConnectionState; state == nil || state.LastObservedState != "READY" {
			return fmt.Errorf("the connection is %+v", state)
		}
		return nil
	})
	return c
}

// next makes the bundle of a later version, with the same content but for the edits.
func (s *story) next(version string, edits ...func(string) (string, error)) olm.Bundle {
	s.t.Helper()
	bundle, err := env.bundle.Next(filepath.Join(s.t.TempDir(), version), version, edits...)
	must(s.t, err)
	return bundle
}
