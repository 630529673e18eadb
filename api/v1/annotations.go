package v1

const (
	// MonitorAnnotation opts a Pod in, set in the pod template: "true" leaves it to the namespace's oldest AppMonitor
	// whose selector matches it; any other value is the name of the one AppMonitor that owns the Pod.
	MonitorAnnotation = "app-monitor.kubedemo.com/monitor"

	// MonitorAny is the value of MonitorAnnotation that names no AppMonitor.
	MonitorAny = "true"

	// PausedAnnotation with the value "true", on an AppMonitor or on a workload, stops all action on it.
	PausedAnnotation = "app-monitor.kubedemo.com/paused"

	// DurableSizeAnnotation holds, on a workload, the memory that all of its Pods, present and future, are to have, by
	// container: {"memhog":{"request":"512Mi","limit":"768Mi"}}. It is written by the operator when it has learned that the
	// template says too little, and read when new Pods start. Whoever changes it is followed; whoever removes it has the
	// operator forget what it learned.
	DurableSizeAnnotation = "app-monitor.kubedemo.com/durable-size"

	// RecordAnnotation holds, on a workload, what the operator changed of it. It is written by the operator; the value
	// {} makes the operator start afresh.
	RecordAnnotation = "app-monitor.kubedemo.com/record"

	// WorkloadAnnotation holds, on a Pod, what the agent of its node has to know of the Pod's workload, of which it sees nothing
	// else. It is written by the operator.
	WorkloadAnnotation = "app-monitor.kubedemo.com/workload"
)
