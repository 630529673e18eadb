package v1

// AgentKeepsGuarantee is the condition that a node agent reports on its own Pod: whether no container of its node that grows
// slower than the guaranteed fill rate will be OOM-killed. While there is no such condition, the agent has not started yet.
const AgentKeepsGuarantee = "app-monitor.kubedemo.com/KeepsGuarantee"
