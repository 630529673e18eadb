package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// What the kernel offers instead of looking again and again, measured side by side with that: the time from the moment at
// which a process has filled its group up to a threshold until the moment at which it is known here.
//
//	go test -run=NONE -bench=Alarm -benchtime=100x ./internal/cgroup

const (
	alarmThreshold = 64 * mebi
	// Around the threshold memory is filled at the rate in question, else as fast as can be.
	alarmAround = 8 * mebi
	alarmStep   = 64 << 10
)

func BenchmarkAlarm(b *testing.B) {
	for _, rate := range []int{64, 256, 1024} {
		b.Run(fmt.Sprintf("Polling10ms/%dMiBps", rate), func(b *testing.B) {
			measure(b, rate, func(g *Group, _ string) func() {
				return func() {
					for ticker := time.NewTicker(10 * time.Millisecond); ; <-ticker.C {
						if usage, err := g.Usage(); err != nil || usage >= alarmThreshold {
							ticker.Stop()
							return
						}
					}
				}
			})
		})
		b.Run(fmt.Sprintf("ThresholdEvent/%dMiBps", rate), func(b *testing.B) {
			measure(b, rate, func(g *Group, folder string) func() { return thresholdEvent(b, g, folder) })
		})
	}
}

// thresholdEvent has version 1 tell of a threshold; version 2 knows none.
func thresholdEvent(b *testing.B, g *Group, folder string) func() {
	if _, err := os.Stat(filepath.Join(folder, "cgroup.event_control")); err != nil {
		b.Skip("these control groups have no thresholds")
	}
	event, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC, 0)
	if errno != 0 {
		b.Fatal(errno)
	}
	b.Cleanup(func() { _ = syscall.Close(int(event)) })
	usage, err := os.Open(filepath.Join(folder, version1.usage))
	if err != nil {
		b.Fatal(err)
	}
	defer usage.Close()
	set(b, filepath.Join(folder, "cgroup.event_control"), fmt.Sprintf("%d %d %d", event, usage.Fd(), alarmThreshold))
	return func() {
		// It tells of the way down, too, sometimes only when the next way up has begun.
		for used := int64(0); used < alarmThreshold; {
			if _, err := syscall.Read(int(event), make([]byte, 8)); err != nil {
				b.Error(err)
				return
			}
			if used, err = g.Usage(); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

func measure(b *testing.B, rate int, prepare func(g *Group, folder string) (wait func())) {
	h := kernel(b)
	folder := group(b, h, filepath.Join(h.root, "g"))
	g := openGroup(b, h, folder)
	wait := prepare(g, folder)
	p := startIn(b, h, folder)
	var late []time.Duration
	for b.Loop() {
		woken := make(chan time.Time)
		go func() {
			wait()
			woken <- time.Now()
		}()
		crossed, err := strconv.ParseInt(p.do(b, "cross %s %d", filepath.Join(folder, h.files.usage), rate), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		late = append(late, (<-woken).Sub(time.Unix(0, crossed)))
		p.do(b, "release 0")
		if usage, err := g.Usage(); err != nil || usage >= alarmThreshold {
			b.Fatal("the memory is not free again", err)
		}
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[0].Microseconds()), "min-µs")
	b.ReportMetric(float64(late[len(late)/2].Microseconds()), "median-µs")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAlarmAtTheLimit measures what version 2 tells of a group that runs into its limit: how long before the end of the
// process that is killed for it the alarm is heard. It is no alarm clock if that is less than a resize takes.
func BenchmarkAlarmAtTheLimit(b *testing.B) {
	for _, alarm := range []struct{ name, file, trigger string }{
		{name: "MemoryEvents", file: "memory.events"},
		{name: "Pressure", file: "memory.pressure", trigger: "some 1000 500000"},
	} {
		for _, rate := range []int{16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%dMiBps", alarm.name, rate), func(b *testing.B) {
				h := kernel(b)
				folder := group(b, h, filepath.Join(h.root, "g"))
				if h.files.version != 2 {
					b.Skip("version 2 only")
				}
				set(b, filepath.Join(folder, h.files.limit), fmt.Sprint(alarmThreshold))
				var before []time.Duration
				missed := 0
				for b.Loop() {
					heard := listen(b, filepath.Join(folder, alarm.file), alarm.trigger)
					p := startIn(b, h, folder)
					if answer, err := p.try("cross %s %d", filepath.Join(folder, h.files.usage), rate); err == nil {
						b.Fatal("it lives:", answer)
					}
					died := time.Now()
					_ = p.cmd.Wait()
					at, ok := <-heard
					if !ok {
						missed++
						continue
					}
					before = append(before, died.Sub(at))
				}
				slices.Sort(before)
				b.ReportMetric(float64(missed), "missed")
				if len(before) > 0 {
					b.ReportMetric(float64(before[0].Microseconds()), "least-µs")
					b.ReportMetric(float64(before[len(before)/2].Microseconds()), "median-µs")
					b.ReportMetric(float64(before[len(before)-1].Microseconds()), "most-µs")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// listen tells when a file's change is heard of, and nothing when it is not within some seconds.
func listen(b *testing.B, path, trigger string) <-chan time.Time {
	flags := syscall.O_RDONLY
	if trigger != "" {
		flags = syscall.O_RDWR
	}
	fd, err := syscall.Open(path, flags|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if trigger == "" {
		_, err = syscall.Read(fd, make([]byte, 512))
	} else {
		_, err = syscall.Write(fd, []byte(trigger+"\x00"))
	}
	if err != nil {
		b.Fatal(err)
	}
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLPRI}); err != nil {
		b.Fatal(err)
	}
	heard := make(chan time.Time, 1)
	go func() {
		defer close(heard)
		if n, _ := syscall.EpollWait(poll, make([]syscall.EpollEvent, 1), 5000); n > 0 {
			heard <- time.Now()
		}
		_ = syscall.Close(poll)
		_ = syscall.Close(fd)
	}()
	return heard
}

// cross fills memory to beyond the threshold, and says when it reached it.
func cross(usageFile string, rate int) (memory []byte, crossed time.Time, err error) {
	usage := at(usageFile, sizeOfNumber)
	defer usage.close()
	memory, err = reserve(alarmThreshold + alarmAround)
	if err != nil {
		return nil, crossed, err
	}
	// Small pages, or memory would come in steps of 2 MiB.
	if err := syscall.Madvise(memory, syscall.MADV_NOHUGEPAGE); err != nil {
		return nil, crossed, err
	}
	start := time.Time{}
	for filled := 0; filled < len(memory); filled += alarmStep {
		for i := 0; i < alarmStep; i += os.Getpagesize() {
			memory[filled+i] = 1
		}
		around := filled - (alarmThreshold - alarmAround)
		if around < 0 {
			continue
		}
		if start.IsZero() {
			start = time.Now()
		}
		now, err := usage.number()
		if err != nil {
			return nil, crossed, err
		}
		if crossed.IsZero() && now >= alarmThreshold {
			crossed = time.Now()
		}
		// A sleep would be longer than a step takes.
		due := time.Duration(around) * time.Second / time.Duration(rate*mebi)
		for waiting := true; waiting; {
			waiting = time.Since(start) < due
		}
	}
	return memory, crossed, nil
}
