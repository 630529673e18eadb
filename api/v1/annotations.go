package v1

const (
	// MonitorAnnotation opts a Pod in, set in the pod template: "true" leaves the choice of the AppMonitor to the
	// namespace's oldest; any other value is the name of the one AppMonitor that owns the Pod.
	MonitorAnnotation = "app-monitor.kubedemo.com/monitor"

	// MonitorAny is the value of MonitorAnnotation that names no AppMonitor.
	MonitorAny = "true"

	// PausedAnnotation with the value "true", on an AppMonitor or on a workload, stops all action on it.
	PausedAnnotation = "app-monitor.kubedemo.com/paused"
)
