package v1

const (
	// MonitorAnnotation opts a Pod in, set in the pod template: "true" leaves it to the namespace's oldest AppMonitor
	// whose selector matches it; any other value is the name of the one AppMonitor that owns the Pod.
	MonitorAnnotation = "app-monitor.kubedemo.com/monitor"

	// MonitorAny is the value of MonitorAnnotation that names no AppMonitor.
	MonitorAny = "true"

	// PausedAnnotation with the value "true", on an AppMonitor or on a workload, stops all action on it.
	PausedAnnotation = "app-monitor.kubedemo.com/paused"

	// RecordAnnotation holds, on a workload, what the operator changed of it. It is written by the operator; the value
	// {} makes the operator start afresh.
	RecordAnnotation = "app-monitor.kubedemo.com/record"
)
