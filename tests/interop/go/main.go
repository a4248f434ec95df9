// A node on HashiCorp's newest modules that speaks the same lines as
// gossip-peer (gossip_peer.h): one JSON object a command on standard input, the
// answers and events on standard output, so that tests put either in either
// place.
//
//	go-peer '{"name": "x", "bind": "127.31.1.2:7946", ...}'
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

type object = map[string]any

type settings struct {
	Name        string
	Bind        string
	Tags        map[string]string
	Keys        []string
	KeyringFile string `json:"keyring_file"`
	Label       string
	Compression *bool
	Protocol    uint8
	Answers     map[string]string
	Snapshot    string
	ReconnectMs int `json:"reconnect_interval_ms"`
	Wan         *wanSettings
}

// command has the fields of all commands; each uses some.
type command struct {
	ID        int
	Do        string
	Targets   []string
	IgnoreOld bool `json:"ignore_old"`
	Name      string
	Payload   string
	Coalesce  bool
	Prune     bool
	Nodes     []string
	Tags      map[string]string
	Acks      bool
	Relay     uint8
	TimeoutMs int `json:"timeout_ms"`
	Operation string
	Key       string
	A, B      string
}

var output sync.Mutex

func say(line object) {
	output.Lock()
	defer output.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

func memberlistConfig(s *settings) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	if s.Wan != nil {
		config = memberlist.DefaultWANConfig()
		config.Transport = newWanTransport(s.Bind, s.Wan)
		config.RequireNodeNames = true
		config.DisableTcpPingsForNode = func(string) bool { return true }
	}
	host, port, err := net.SplitHostPort(s.Bind)
	check(err)
	config.BindAddr, config.Label = host, s.Label
	config.BindPort, err = strconv.Atoi(port)
	check(err)
	if s.Compression != nil {
		config.EnableCompression = *s.Compression
	}
	if keys := ring(s); len(keys) > 0 {
		config.Keyring, err = memberlist.NewKeyring(keys, keys[0])
		check(err)
	}
	config.LogOutput = os.Stderr
	return config
}

// ring gives the keys of the settings, or of the keyring file.
func ring(s *settings) [][]byte {
	texts := s.Keys
	if s.KeyringFile != "" && len(texts) == 0 {
		data, err := os.ReadFile(s.KeyringFile)
		check(err)
		check(json.Unmarshal(data, &texts))
	}
	var keys [][]byte
	for _, text := range texts {
		key, err := base64.StdEncoding.DecodeString(text)
		check(err)
		keys = append(keys, key)
	}
	return keys
}

func start(s *settings, events chan serf.Event) *serf.Serf {
	config := serf.DefaultConfig()
	config.Init()
	config.NodeName, config.Tags = s.Name, s.Tags
	config.MemberlistConfig = memberlistConfig(s)
	config.KeyringFile, config.SnapshotPath = s.KeyringFile, s.Snapshot
	config.EventCh, config.LogOutput = events, os.Stderr
	config.ProtocolVersion = 5
	if s.Protocol != 0 {
		config.ProtocolVersion = s.Protocol
	}
	if s.ReconnectMs != 0 {
		config.ReconnectInterval = time.Duration(s.ReconnectMs) *
			time.Millisecond
	}
	node, err := serf.Create(config)
	check(err)
	return node
}

func tell(events chan serf.Event, answers map[string]string) {
	for event := range events {
		switch e := event.(type) {
		case serf.MemberEvent:
			names := []string{}
			for _, member := range e.Members {
				names = append(names, member.Name)
			}
			say(object{"event": e.EventType().String(), "members": names})
		case serf.UserEvent:
			say(object{"event": "user", "name": e.Name,
				"payload": string(e.Payload)})
		case *serf.Query:
			say(object{"event": "query", "name": e.Name,
				"payload": string(e.Payload)})
			if text, ok := answers[e.Name]; ok {
				if err := e.Respond([]byte(text)); err != nil {
					say(object{"event": "answer-failed", "name": e.Name,
						"why": err.Error()})
				}
			}
		}
	}
}

func members(node *serf.Serf) object {
	all := object{}
	for _, m := range node.Members() {
		all[m.Name] = object{
			"addr": net.JoinHostPort(m.Addr.String(),
				strconv.Itoa(int(m.Port))),
			"status": m.Status.String(), "tags": m.Tags,
			"vsn": []int{int(m.ProtocolMin), int(m.ProtocolMax),
				int(m.ProtocolCur), int(m.DelegateMin),
				int(m.DelegateMax), int(m.DelegateCur)}}
	}
	return all
}

func query(node *serf.Serf, c *command) (object, error) {
	response, err := node.Query(c.Name, []byte(c.Payload), &serf.QueryParam{
		FilterNodes: c.Nodes, FilterTags: c.Tags, RequestAck: c.Acks,
		RelayFactor: c.Relay,
		Timeout:     time.Duration(c.TimeoutMs) * time.Millisecond})
	if err != nil {
		return nil, err
	}
	acks, answers := []string{}, [][]string{}
	ackCh, answerCh := response.AckCh(), response.ResponseCh()
	for ackCh != nil || answerCh != nil {
		select {
		case from, ok := <-ackCh:
			if !ok {
				ackCh = nil
			} else {
				acks = append(acks, from)
			}
		case answer, ok := <-answerCh:
			if !ok {
				answerCh = nil
			} else {
				answers = append(answers,
					[]string{answer.From, string(answer.Payload)})
			}
		}
	}
	return object{"acks": acks, "responses": answers}, nil
}

func keys(node *serf.Serf, c *command) (object, error) {
	manager := node.KeyManager()
	var found *serf.KeyResponse
	var err error
	switch c.Operation {
	case "install":
		found, err = manager.InstallKey(c.Key)
	case "use":
		found, err = manager.UseKey(c.Key)
	case "remove":
		found, err = manager.RemoveKey(c.Key)
	default:
		found, err = manager.ListKeys()
	}
	if err != nil || found == nil {
		return nil, err
	}
	return object{"nodes": found.NumNodes, "responses": found.NumResp,
		"errors": found.NumErr, "keys": found.Keys,
		"primaries": found.PrimaryKeys}, nil
}

func rtt(node *serf.Serf, c *command) object {
	a, known := node.GetCachedCoordinate(c.A)
	b, other := node.GetCachedCoordinate(c.B)
	if !known || !other {
		return object{"rtt_ns": 0}
	}
	return object{"rtt_ns": a.DistanceTo(b).Nanoseconds()}
}

func do(node *serf.Serf, c *command) (object, error) {
	switch c.Do {
	case "members":
		return object{"members": members(node)}, nil
	case "rtt":
		return rtt(node, c), nil
	case "join":
		count, err := node.Join(c.Targets, c.IgnoreOld)
		return object{"joined": count}, err
	case "leave":
		return object{}, node.Leave()
	case "force-leave":
		if c.Prune {
			return object{}, node.RemoveFailedNodePrune(c.Name)
		}
		return object{}, node.RemoveFailedNode(c.Name)
	case "tags":
		return object{}, node.SetTags(c.Tags)
	case "event":
		return object{}, node.UserEvent(c.Name, []byte(c.Payload), c.Coalesce)
	case "query":
		return query(node, c)
	case "key":
		return keys(node, c)
	}
	return nil, fmt.Errorf("no such command: %s", c.Do)
}

func main() {
	var s settings
	if len(os.Args) != 2 {
		check(fmt.Errorf("usage: go-peer SETTINGS"))
	}
	check(json.Unmarshal([]byte(os.Args[1]), &s))
	events := make(chan serf.Event, 4096)
	go tell(events, s.Answers)
	node := start(&s, events)
	go func() {
		<-node.ShutdownCh()
		say(object{"event": "conflict-lost"})
		os.Exit(0)
	}()
	say(object{"event": "ready"})

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c command
		check(json.Unmarshal(lines.Bytes(), &c))
		go func() {
			answer, err := do(node, &c)
			if answer == nil {
				answer = object{}
			}
			if err != nil {
				answer["error"] = err.Error()
			}
			answer["id"] = c.ID
			say(answer)
		}()
	}
}
