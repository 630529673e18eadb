package agent

import (
	"container/heap"
	"time"
)

// queue holds containers by the time of the next look at them.
type queue []*container

// schedule sets when a container is looked at next.
func (q *queue) schedule(c *container, due time.Time) {
	c.due = due
	if c.at < 0 {
		heap.Push(q, c)
		return
	}
	heap.Fix(q, c.at)
}

// remove takes a container out.
func (q *queue) remove(c *container) {
	if c.at >= 0 {
		heap.Remove(q, c.at)
	}
}

// first is the container to be looked at next; nil when there is none.
func (q *queue) first() *container {
	if len(*q) == 0 {
		return nil
	}
	return (*q)[0]
}

// Len, Less, Swap, Push and Pop implement heap.Interface.

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is called by package heap.
func (q *queue) Push(x any) {
	c, ok := x.(*container)
	if !ok {
		return
	}
	c.at = len(*q)
	*q = append(*q, c)
}

// Pop is called by package heap.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	last.at = -1
	*q = (*q)[:len(*q)-1]
	return last
}
