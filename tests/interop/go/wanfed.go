// HashiCorp's memberlist in a WAN pool that meets only at gateways: its packets
// and streams in the framing of wan-gossip (four bytes of length before each
// packet, a TLS connection for each stream), to a name and never to an address.
// Written from that framing alone; it shares no code with libwanfed.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	packetProtocol = "consul/wan-gossip/packet"
	streamProtocol = "consul/wan-gossip/stream"
	packetMax      = 4 << 20
)

// wanSettings say where the gateway of our datacenter is, and who we are.
type wanSettings struct {
	Gateway, Domain, CA, Cert, Key string
	Fresh                          bool // a connection for each packet
}

type wanTransport struct {
	settings *wanSettings
	listener net.Listener
	client   *tls.Config
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	lock     sync.Mutex
	out      map[string]net.Conn
}

var errNoName = errors.New("a peer of the WAN is reached by its name alone")

func newWanTransport(bind string, s *wanSettings) *wanTransport {
	certificate, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	check(err)
	pem, err := os.ReadFile(s.CA)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	t := &wanTransport{settings: s, out: map[string]net.Conn{},
		packets: make(chan *memberlist.Packet),
		streams: make(chan net.Conn),
		client: &tls.Config{RootCAs: roots,
			Certificates: []tls.Certificate{certificate}}}
	t.listener, err = tls.Listen("tcp", bind, &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: roots,
		ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{packetProtocol, streamProtocol}})
	check(err)
	go t.accept()
	return t
}

func (t *wanTransport) accept() {
	for {
		connection, err := t.listener.Accept()
		if err != nil {
			return
		}
		go t.serve(connection.(*tls.Conn))
	}
}

func (t *wanTransport) serve(connection *tls.Conn) {
	if connection.Handshake() != nil {
		connection.Close()
		return
	}
	if connection.ConnectionState().NegotiatedProtocol == streamProtocol {
		t.streams <- connection
		return
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		var head [4]byte
		if _, err := io.ReadFull(reader, head[:]); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(head[:])
		if size == 0 || size > packetMax {
			return
		}
		packet := make([]byte, size)
		if _, err := io.ReadFull(reader, packet); err != nil {
			return
		}
		t.packets <- &memberlist.Packet{Buf: packet,
			From: connection.RemoteAddr(), Timestamp: time.Now()}
	}
}

// serverName of "node.dc"; of "*.dc", that of any server there.
func (t *wanTransport) serverName(name string) (string, error) {
	node, dc, found := strings.Cut(name, ".")
	if !found || node == "" || strings.Contains(dc, ".") {
		return "", fmt.Errorf("%w: %q", errNoName, name)
	}
	if node == "*" {
		return "server." + dc + "." + t.settings.Domain, nil
	}
	return node + ".server." + dc + "." + t.settings.Domain, nil
}

func (t *wanTransport) dial(name, protocol string,
	timeout time.Duration) (net.Conn, error) {
	server, err := t.serverName(name)
	if err != nil {
		return nil, err
	}
	config := t.client.Clone()
	config.ServerName, config.NextProtos = server, []string{protocol}
	return tls.DialWithDialer(&net.Dialer{Timeout: timeout}, "tcp",
		t.settings.Gateway, config)
}

func (t *wanTransport) WriteToAddress(b []byte,
	to memberlist.Address) (time.Time, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	connection := t.out[to.Name]
	if connection == nil {
		var err error
		connection, err = t.dial(to.Name, packetProtocol, 5*time.Second)
		if err != nil {
			return time.Time{}, err
		}
		t.out[to.Name] = connection
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	_, err := connection.Write(append(frame, b...))
	if err != nil || t.settings.Fresh {
		connection.Close()
		delete(t.out, to.Name)
	}
	return time.Now(), err
}

func (t *wanTransport) DialAddressTimeout(to memberlist.Address,
	timeout time.Duration) (net.Conn, error) {
	return t.dial(to.Name, streamProtocol, timeout)
}

func (t *wanTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	address := t.listener.Addr().(*net.TCPAddr)
	return address.IP, address.Port, nil
}

func (t *wanTransport) WriteTo([]byte, string) (time.Time, error) {
	return time.Time{}, errNoName
}

func (t *wanTransport) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoName
}

func (t *wanTransport) PacketCh() <-chan *memberlist.Packet {
	return t.packets
}

func (t *wanTransport) StreamCh() <-chan net.Conn {
	return t.streams
}

func (t *wanTransport) IngestPacket(net.Conn, net.Addr, time.Time,
	bool) error {
	return errNoName
}

func (t *wanTransport) IngestStream(net.Conn) error {
	return errNoName
}

func (t *wanTransport) Shutdown() error {
	return t.listener.Close()
}
