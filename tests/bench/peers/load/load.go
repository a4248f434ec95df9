// Package load is raft_load.c for libraries in Go: three processes on
// loopback, one of them leads and measures, one line of JSON.
package load

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const warm = 1500 * time.Millisecond

// Options are the flags; Number is which server a child is.
type Options struct {
	Servers, Proposers, Size, Seconds int
	Folder                            string
	Number, run                       int
}

// Address is where server number of this run listens.
func (o *Options) Address(number int) string {
	return fmt.Sprintf("127.%d.%d.%d:18300", 1+o.run/256%250, o.run%256,
		number+1)
}

// Result is the line that is printed.
type Result struct {
	Library          string  `json:"library"`
	Servers          int     `json:"servers"`
	Proposers        int     `json:"proposers"`
	Size             int     `json:"size"`
	CommitsPerS      float64 `json:"commits_per_s"`
	P50              int     `json:"p50_us"`
	P99              int     `json:"p99_us"`
	LeaderRSSKiB     int64   `json:"leader_rss_kib"`
	WrittenPerCommit float64 `json:"written_per_commit"`
}

// Main starts the servers and prints what the leader says; in a child it runs
// serve, which must not return.
func Main(library string, serve func(o *Options)) {
	o := &Options{}
	flag.IntVar(&o.Servers, "servers", 3, "")
	flag.IntVar(&o.Proposers, "proposers", 64, "")
	flag.IntVar(&o.Size, "size", 128, "")
	flag.IntVar(&o.Seconds, "seconds", 5, "")
	flag.StringVar(&o.Folder, "folder", "/tmp", "")
	flag.IntVar(&o.Number, "number", -1, "")
	flag.IntVar(&o.run, "run", os.Getpid(), "")
	flag.Bool("json", true, "always")
	flag.Parse()
	if o.Number >= 0 {
		serve(o)
		os.Exit(1)
	}
	o.Folder = filepath.Join(o.Folder, fmt.Sprintf("raft-bench-%d", o.run))
	line, err := runAll(o)
	os.RemoveAll(o.Folder)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: no server reported: %v\n", library, err)
		os.Exit(1)
	}
	var result Result
	if err := json.Unmarshal([]byte(line), &result); err != nil {
		os.Exit(1)
	}
	result.Library = library
	result.Servers, result.Proposers, result.Size = o.Servers, o.Proposers, o.Size
	out, _ := json.Marshal(result)
	fmt.Println(string(out))
}

func runAll(o *Options) (string, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	for i := 0; i < o.Servers; i++ {
		folder := filepath.Join(o.Folder, strconv.Itoa(i))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", err
		}
		args := append(append([]string{}, os.Args[1:]...),
			"-number", strconv.Itoa(i), "-run", strconv.Itoa(o.run),
			"-folder", folder)
		child := exec.Command(os.Args[0], args...)
		child.Stdout = write
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			return "", err
		}
		defer child.Wait()
		defer child.Process.Kill()
	}
	write.Close()
	return bufio.NewReader(read).ReadString('\n')
}

// Load counts in the server that leads.
type Load struct {
	options       *Options
	began, ends   time.Time
	lock          sync.Mutex
	warm          bool
	writtenBefore int64
	samples       []int32
}

// Begin is called when leadership begins.
func Begin(o *Options) *Load {
	began := time.Now().Add(warm)
	return &Load{options: o, began: began,
		ends:    began.Add(time.Duration(o.Seconds) * time.Second),
		samples: make([]int32, 0, 4000000)}
}

func procValue(path, name string) int64 {
	data, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, name) {
			fields := strings.Fields(line[len(name):])
			value, _ := strconv.ParseInt(fields[0], 10, 64)
			return value
		}
	}
	return 0
}

// Committed counts one command, proposed at since, applied here. At the end it
// prints the result and does not return. Any goroutine.
func (l *Load) Committed(since time.Time) {
	now := time.Now()
	l.lock.Lock()
	defer l.lock.Unlock()
	if now.After(l.ends) {
		l.report(now)
	}
	if l.warm {
		l.samples = append(l.samples, int32(now.Sub(since).Microseconds()))
	} else if now.After(l.began) {
		l.warm = true
		l.began = now
		l.writtenBefore = procValue("/proc/self/io", "write_bytes:")
	}
}

func (l *Load) report(now time.Time) {
	count := len(l.samples)
	// Pages of the samples are not the library's.
	rss := procValue("/proc/self/status", "VmRSS:") - int64(count)*4/1024
	result := Result{LeaderRSSKiB: rss}
	written := procValue("/proc/self/io", "write_bytes:") - l.writtenBefore
	sort.Slice(l.samples, func(i, j int) bool {
		return l.samples[i] < l.samples[j]
	})
	if count > 0 {
		result.CommitsPerS = float64(count) / now.Sub(l.began).Seconds()
		result.P50 = int(l.samples[count/2])
		result.P99 = int(l.samples[count*99/100])
		result.WrittenPerCommit = float64(written) / float64(count)
	}
	out, _ := json.Marshal(result)
	fmt.Println(string(out))
	select {} // until we are killed
}
