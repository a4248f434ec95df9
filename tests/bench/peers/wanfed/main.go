// The framing of WAN packets (four bytes of length, then the packet, over one
// TLS connection) by Go's standard library alone: what tests/bench/wan_bench.c
// is measured beside. Both ends are in this process, as there; what waits
// together leaves in one write.
//
//	wanfed [-seconds 3] [-senders 1]
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const packetBytes = 512

var received atomic.Int64

func certificate() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"server"},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth,
			x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template,
		&key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			reader := bufio.NewReaderSize(connection, 64<<10)
			packet := make([]byte, 4<<20)
			for {
				var head [4]byte
				if _, err := io.ReadFull(reader, head[:]); err != nil {
					return
				}
				size := binary.BigEndian.Uint32(head[:])
				if size == 0 || int(size) > len(packet) {
					return
				}
				if _, err := io.ReadFull(reader, packet[:size]); err != nil {
					return
				}
				received.Add(1)
			}
		}()
	}
}

func frame() []byte {
	frame := make([]byte, 4+packetBytes)
	binary.BigEndian.PutUint32(frame, packetBytes)
	return frame
}

func reuse(address string, config *tls.Config, end time.Time) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	writer := bufio.NewWriterSize(connection, 16<<10)
	for packet := frame(); time.Now().Before(end); {
		for i := 0; i < 128; i++ {
			if _, err := writer.Write(packet); err != nil {
				return
			}
		}
		writer.Flush()
	}
}

func afresh(address string, config *tls.Config, end time.Time) {
	for packet := frame(); time.Now().Before(end); {
		connection, err := tls.Dial("tcp", address, config)
		if err != nil {
			log.Fatal(err)
		}
		connection.Write(packet)
		connection.Close()
	}
}

func cpu() float64 {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e3
}

func main() {
	seconds := flag.Float64("seconds", 3, "")
	senders := flag.Int("senders", 1, "")
	flag.Parse()
	own, pool := certificate()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		log.Fatal(err)
	}
	go serve(listener)
	config := &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: pool,
		ServerName: "server"}
	fmt.Println("| Go's standard library | packets a second | us each |")
	fmt.Println("| --- | --: | --: |")
	for _, row := range []struct {
		name string
		run  func(string, *tls.Config, time.Time)
	}{{"one reused connection", reuse}, {"a new TLS connection each", afresh}} {
		from, used, began := received.Load(), cpu(), time.Now()
		end := began.Add(time.Duration(*seconds * 1e9))
		done := make(chan bool)
		for i := 0; i < *senders; i++ {
			go func() {
				row.run(listener.Addr().String(), config, end)
				done <- true
			}()
		}
		for i := 0; i < *senders; i++ {
			<-done
		}
		took := time.Since(began).Seconds()
		count := float64(received.Load() - from)
		fmt.Printf("| %s, %d senders | %.0f | %.2f |\n", row.name, *senders,
			count/took, (cpu()-used)/(count+1))
	}
}
