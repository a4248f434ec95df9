// Go's net/rpc with msgpack over yamux and TLS, what tests/bench/rpc_bench.c is
// measured beside, by the same rules: a server and a caller, a process each;
// so many callers wait for their answer and ask again. Each of them has a
// stream of the one connection and keeps it, as a pool of such streams does.
//
//	rpc [-flight 16] [-seconds 3] [-connections full|resumed]
//
// Prints a line of JSON, with the members of rpc-bench's.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

const serverName = "server.dc1.consul"

type Pair struct{ Key, Value string }

type Test struct{}

func (Test) Echo(in *Pair, out *Pair) error {
	*out = *in
	return nil
}

func quiet() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	return config
}

// ---- the server ----

func serveConnection(server *rpc.Server, connection net.Conn) {
	session, err := yamux.Server(connection, quiet())
	if err != nil {
		return
	}
	for {
		stream, err := session.Accept()
		if err != nil {
			return
		}
		go server.ServeCodec(msgpackrpc.NewServerCodec(stream))
	}
}

func serve(config *tls.Config) {
	server := rpc.NewServer()
	if err := server.RegisterName("Test", Test{}); err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // the caller's end is ours
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serveConnection(server, connection)
	}
}

// ---- certificates: made by the caller, given to the server in its
// environment ----

func makeCertificate() (cert, key string) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{serverName},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth,
			x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template,
		&secret.PublicKey, secret)
	if err != nil {
		log.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		log.Fatal(err)
	}
	return string(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(
			&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}

func configOf(cert, key string) *tls.Config {
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		ServerName: serverName}
}

// ---- the caller ----

func dial(address string, config *tls.Config) *yamux.Session {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		log.Fatal(err)
	}
	session, err := yamux.Client(connection, quiet())
	if err != nil {
		log.Fatal(err)
	}
	return session
}

func stream(session *yamux.Session) rpc.ClientCodec {
	stream, err := session.Open()
	if err != nil {
		log.Fatal(err)
	}
	return msgpackrpc.NewClientCodec(stream)
}

func ask(codec rpc.ClientCodec) {
	in := Pair{"service/web/instances/0123456", strings.Repeat("v", 64)}
	var out Pair
	err := msgpackrpc.CallWithCodec(codec, "Test.Echo", &in, &out)
	if err != nil || out != in {
		log.Fatal("wrong answer: ", err)
	}
}

type samples struct {
	sync.Mutex
	us []float64
}

func call(codec rpc.ClientCodec, from, end time.Time, all *samples) {
	var own []float64
	for {
		began := time.Now()
		if began.After(end) {
			break
		}
		ask(codec)
		if began.After(from) {
			own = append(own, float64(time.Since(began).Nanoseconds())/1e3)
		}
	}
	all.Lock()
	all.us = append(all.us, own...)
	all.Unlock()
}

func run(address string, config *tls.Config, flight int, from, end time.Time,
	all *samples) {
	session := dial(address, config)
	var group sync.WaitGroup
	for i := 0; i < flight; i++ {
		group.Add(1)
		codec := stream(session)
		go func() {
			call(codec, from, end, all)
			group.Done()
		}()
	}
	group.Wait()
	session.Close()
}

// A connection, a call on it, and its end, one after the other.
func connect(address string, config *tls.Config, from, end time.Time,
	all *samples) {
	for {
		began := time.Now()
		if began.After(end) {
			break
		}
		session := dial(address, config)
		ask(stream(session))
		session.Close()
		if began.After(from) {
			all.us = append(all.us,
				float64(time.Since(began).Nanoseconds())/1e3)
		}
	}
}

func cpuUs(who int) float64 {
	var use syscall.Rusage
	syscall.Getrusage(who, &use)
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e3
}

func startServer(cert, key string) (*exec.Cmd, io.Closer, string) {
	command := exec.Command(os.Args[0], "-serve")
	command.Env = append(os.Environ(), "CERT="+cert, "KEY="+key)
	command.Stderr = os.Stderr
	in, _ := command.StdinPipe()
	out, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		log.Fatal("no server: ", err)
	}
	return command, in, strings.TrimSpace(address)
}

func main() {
	serving := flag.Bool("serve", false, "")
	flight := flag.Int("flight", 16, "")
	seconds := flag.Float64("seconds", 3, "")
	connections := flag.String("connections", "", "")
	flag.Bool("json", true, "") // there is nothing else
	flag.Parse()
	if *serving {
		serve(configOf(os.Getenv("CERT"), os.Getenv("KEY")))
		return
	}
	cert, key := makeCertificate()
	server, in, address := startServer(cert, key)
	config := configOf(cert, key)
	if *connections == "resumed" {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(16)
	}
	var all samples
	from := time.Now().Add(time.Second / 2)
	end := from.Add(time.Duration(*seconds * 1e9))
	if *connections != "" {
		connect(address, config, from, end, &all)
	} else {
		run(address, config, *flight, from, end, &all)
	}
	in.Close()
	server.Wait()
	sort.Float64s(all.us)
	count := len(all.us)
	// Processor time is of the half second before, too.
	cpu := (cpuUs(syscall.RUSAGE_SELF) + cpuUs(syscall.RUSAGE_CHILDREN)) *
		*seconds / (*seconds + 0.5) / float64(count)
	fmt.Printf(`{"library": "%s", "per_s": %.1f, "p50_us": %.1f, `+
		`"p99_us": %.1f, "cpu_us": %.2f}`+"\n", runtime.Version(),
		float64(count) / *seconds, all.us[count/2], all.us[count*99/100], cpu)
}
