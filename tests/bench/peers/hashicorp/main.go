// The same load on hashicorp/raft: its TCP transport, BoltDB for log and vote,
// batches on the way in (BatchApplyCh) and into the state machine. Each
// proposer is a goroutine that waits for its command. No snapshots, as in our
// own run.
package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"isthmus/peers/load"
)

type counter struct{ count int }

func (c *counter) Apply(*raft.Log) interface{} {
	c.count++
	return nil
}

func (c *counter) ApplyBatch(logs []*raft.Log) []interface{} {
	c.count += len(logs)
	return make([]interface{}, len(logs))
}

func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, io.EOF }
func (c *counter) Restore(io.ReadCloser) error         { return io.EOF }

func must(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func propose(r *raft.Raft, l *load.Load, size int) {
	for {
		since := time.Now()
		must(r.Apply(make([]byte, size), 0).Error())
		l.Committed(since)
	}
}

func serve(o *load.Options) {
	quiet := hclog.New(&hclog.LoggerOptions{Level: hclog.Off})
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(strconv.Itoa(o.Number))
	config.Logger = quiet
	config.BatchApplyCh = true
	config.SnapshotThreshold = 1 << 40
	store, err := raftboltdb.NewBoltStore(filepath.Join(o.Folder, "bolt"))
	must(err)
	address, err := net.ResolveTCPAddr("tcp", o.Address(o.Number))
	must(err)
	transport, err := raft.NewTCPTransportWithLogger(
		o.Address(o.Number), address, 3, 10*time.Second, quiet)
	must(err)
	var servers raft.Configuration
	for i := 0; i < o.Servers; i++ {
		servers.Servers = append(servers.Servers, raft.Server{
			ID:      raft.ServerID(strconv.Itoa(i)),
			Address: raft.ServerAddress(o.Address(i))})
	}
	snapshots := raft.NewDiscardSnapshotStore()
	must(raft.BootstrapCluster(config, store, store, snapshots, transport,
		servers))
	r, err := raft.NewRaft(config, &counter{}, store, store, snapshots,
		transport)
	must(err)
	for !<-r.LeaderCh() {
	}
	l := load.Begin(o)
	for i := 0; i < o.Proposers; i++ {
		go propose(r, l, o.Size)
	}
	select {}
}

func main() { load.Main("hashicorp", serve) }
