package workload

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// heapSettings fix the size of a program's heap, which then does not follow the container's limit: those of the JVM, of Go and
// of Node.js. A share of the limit, such as the JVM's -XX:MaxRAMPercentage, follows it.
var heapSettings = regexp.MustCompile(`-Xmx\S+|-XX:MaxHeapSize=\S+|--max[-_]old[-_]space[-_]size[= ]\S+`)

// goMemoryLimit is the variable in which a Go program is told its limit.
const goMemoryLimit = "GOMEMLIMIT"

// FixedHeap returns the setting that fixes a container's heap, as far as its command, arguments and variables tell; empty when
// there is none. A variable whose value comes from elsewhere, from the container's own limit for example, is not known.
func FixedHeap(c corev1.Container) string {
	for _, text := range slices.Concat(c.Command, c.Args) {
		if strings.HasPrefix(text, goMemoryLimit+"=") {
			return text // what is left of a container in the cache
		}
		if found := heapSettings.FindString(text); found != "" {
			return found
		}
	}
	for _, v := range c.Env {
		if v.Name == goMemoryLimit && v.Value != "" && v.Value != "off" {
			return v.Name + "=" + v.Value
		}
		if found := heapSettings.FindString(v.Value); found != "" {
			return found
		}
	}
	return ""
}
