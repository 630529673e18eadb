package vm

import (
	"bytes"
	"fmt"
)

// node is a file, a folder or a device in the machine's memory when it boots.
type node struct {
	name         string
	mode         uint32
	data         []byte
	major, minor int
}

const (
	executable = 0o100755
	plainFile  = 0o100644
	folder     = 0o040755
	character  = 0o020600
)

// trailer is the name of an entry that ends the archive.
const trailer = "TRAILER!!!"

// initramfs packs nodes as the kernel wants them: a cpio archive of the format called newc, whose headers are 13 numbers of
// eight hexadecimal digits. Names and contents are padded to a multiple of four bytes.
func initramfs(nodes []node) []byte {
	var archive bytes.Buffer
	pad := func() { archive.Write(make([]byte, -archive.Len()&3)) }
	for i, n := range append(nodes, node{name: trailer}) {
		archive.WriteString("070701")
		for _, number := range []int{
			i + 1, int(n.mode), 0, 0, 1, 0, len(n.data), // inode, mode, user, group, links, time, size
			0, 0, n.major, n.minor, len(n.name) + 1, 0, // device that it is on, device that it is, length of the name, checksum
		} {
			fmt.Fprintf(&archive, "%08x", number)
		}
		archive.WriteString(n.name + "\x00")
		pad()
		archive.Write(n.data)
		pad()
	}
	return archive.Bytes()
}
