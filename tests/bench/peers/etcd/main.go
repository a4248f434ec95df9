// The same load on etcd's raft with etcd's own log on disk: one loop that takes
// what there is, sends a leader's appends before it writes its own log (raft
// thesis 10.2.1) and a follower's answers after, and proposes in one message
// whatever its proposers have ready. No snapshots, as in our own run.
package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"isthmus/peers/load"
)

func must(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

type quiet struct{ raft.DefaultLogger }

func (quiet) Debug(...interface{})            {}
func (quiet) Debugf(string, ...interface{})   {}
func (quiet) Info(...interface{})             {}
func (quiet) Infof(string, ...interface{})    {}
func (quiet) Warning(...interface{})          {}
func (quiet) Warningf(string, ...interface{}) {}

// ---- messages: a length and the bytes ----

func listen(address string, in chan<- raftpb.Message) {
	listener, err := net.Listen("tcp", address)
	must(err)
	for {
		conn, err := listener.Accept()
		must(err)
		go receive(bufio.NewReaderSize(conn, 1<<16), in)
	}
}

func receive(from io.Reader, in chan<- raftpb.Message) {
	var head [4]byte
	for {
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		data := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(from, data); err != nil {
			return
		}
		var message raftpb.Message
		must(message.Unmarshal(data))
		in <- message
	}
}

func send(address string, out <-chan raftpb.Message) {
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		writer := bufio.NewWriterSize(conn, 1<<16)
		for message := range out {
			data, err := message.Marshal()
			must(err)
			var head [4]byte
			binary.BigEndian.PutUint32(head[:], uint32(len(data)))
			writer.Write(head[:])
			writer.Write(data)
			if len(out) == 0 && writer.Flush() != nil {
				break
			}
		}
		conn.Close()
	}
}

// ---- one server ----

type server struct {
	options *load.Options
	id      uint64
	node    *raft.RawNode
	storage *raft.MemoryStorage
	log     *wal.WAL
	out     []chan raftpb.Message
	load    *load.Load // while it leads
	since   []time.Time
	ready   []uint32 // proposers that propose in this turn
}

func (s *server) sendAll(messages []raftpb.Message) {
	for _, message := range messages {
		if message.To == s.id {
			continue
		}
		select {
		case s.out[message.To-1] <- message:
		default: // raft sends again
		}
	}
}

func (s *server) apply(entries []raftpb.Entry) {
	for _, entry := range entries {
		if entry.Type == raftpb.EntryConfChange {
			var change raftpb.ConfChange
			must(change.Unmarshal(entry.Data))
			s.node.ApplyConfChange(change)
			continue
		}
		if s.load == nil || len(entry.Data) == 0 {
			continue
		}
		proposer := binary.BigEndian.Uint32(entry.Data)
		s.load.Committed(s.since[proposer])
		s.ready = append(s.ready, proposer)
	}
}

func (s *server) propose() {
	message := raftpb.Message{Type: raftpb.MsgProp, From: s.id}
	now := time.Now()
	for _, proposer := range s.ready {
		data := make([]byte, s.options.Size)
		binary.BigEndian.PutUint32(data, proposer)
		s.since[proposer] = now
		message.Entries = append(message.Entries, raftpb.Entry{Data: data})
	}
	s.ready = s.ready[:0]
	must(s.node.Step(message))
}

func (s *server) begin() {
	s.load = load.Begin(s.options)
	for i := 0; i < s.options.Proposers; i++ {
		s.ready = append(s.ready, uint32(i))
	}
}

func (s *server) work() {
	for s.node.HasReady() {
		ready := s.node.Ready()
		leads := s.node.BasicStatus().RaftState == raft.StateLeader
		if leads {
			s.sendAll(ready.Messages)
		}
		must(s.log.Save(ready.HardState, ready.Entries))
		must(s.storage.Append(ready.Entries))
		if !leads {
			s.sendAll(ready.Messages)
		}
		s.apply(ready.CommittedEntries)
		s.node.Advance(ready)
		if leads && s.load == nil {
			s.begin()
		}
		if leads && len(s.ready) > 0 {
			s.propose()
		}
	}
}

func (s *server) loop(in <-chan raftpb.Message) {
	ticks := time.NewTicker(100 * time.Millisecond)
	for {
		select {
		case <-ticks.C:
			s.node.Tick()
		case message := <-in:
			s.node.Step(message)
			for len(in) > 0 {
				s.node.Step(<-in)
			}
		}
		s.work()
	}
}

func serve(o *load.Options) {
	var err error
	s := &server{options: o, id: uint64(o.Number) + 1,
		storage: raft.NewMemoryStorage(), since: make([]time.Time, o.Proposers)}
	s.log, err = wal.Create(zap.NewNop(), filepath.Join(o.Folder, "wal"), nil)
	must(err)
	s.node, err = raft.NewRawNode(&raft.Config{ID: s.id, ElectionTick: 10,
		HeartbeatTick: 1, Storage: s.storage, MaxSizePerMsg: 1 << 20,
		MaxInflightMsgs: 256, CheckQuorum: true, PreVote: true,
		Logger: &quiet{}})
	must(err)
	var peers []raft.Peer
	for i := 0; i < o.Servers; i++ {
		peers = append(peers, raft.Peer{ID: uint64(i) + 1})
		s.out = append(s.out, make(chan raftpb.Message, 4096))
		if i != o.Number {
			go send(o.Address(i), s.out[i])
		}
	}
	must(s.node.Bootstrap(peers))
	in := make(chan raftpb.Message, 4096)
	go listen(o.Address(o.Number), in)
	s.loop(in)
}

func main() { load.Main("etcd", serve) }
