package cgroup

import (
	"path/filepath"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	h := kernel(b)
	folder := group(b, h, filepath.Join(h.root, "g"))
	g := openGroup(b, h, folder)
	startIn(b, h, folder).do(b, "touch %d", 16*mebi)
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"Usage", func() error { _, err := g.Usage(); return err }},
		{"Limit", func() error { _, err := g.Limit(); return err }},
		{"Memory", func() error { _, err := g.Memory(); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	h := kernel(b)
	folder := group(b, h, filepath.Join(h.root, "kubepods/burstable/pod"+uid, id))
	b.Run("Known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if found, err := h.Find(uid, "containerd://"+id); found != folder {
				b.Fatal(err)
			}
		}
	})
	whole, err := Mounted("/sys/fs/cgroup")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Walk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			walk(whole.root)
		}
	})
}
