// SPDX-License-Identifier: Apache-2.0

// segmentio's kafka-go through what clients.sh asks.
package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice.selftests/clients/course"
)

var background = context.Background()

func must(err error) { course.Require(err == nil, "%v", err) }

type client struct {
	address string
	*kafka.Client
}

func transport() *kafka.Transport { return &kafka.Transport{MetadataTTL: 200 * time.Millisecond} }

func open(address string) course.Client {
	return &client{address, &kafka.Client{Addr: kafka.TCP(address), Timeout: 30 * time.Second, Transport: transport()}}
}

func (c *client) Close() {}

func (c *client) Create(topic string, partitions int, configs map[string]string) error {
	one := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for key, value := range configs {
		one.ConfigEntries = append(one.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	r, err := c.CreateTopics(background, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{one}})
	if err != nil {
		return err
	}
	time.Sleep(250 * time.Millisecond) // what it knows of topics grows old only with time
	return r.Errors[topic]
}

func (c *client) Grow(topic string, partitions int) error {
	r, err := c.CreatePartitions(background, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(partitions)}}})
	if err != nil {
		return err
	}
	return r.Errors[topic]
}

func (c *client) Cut(string, int32, int64) error { return errors.ErrUnsupported }

func (c *client) Delete(topic string) error {
	r, err := c.DeleteTopics(background, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return r.Errors[topic]
}

func (c *client) Topics() ([]string, error) {
	r, err := c.Metadata(background, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range r.Topics {
		names = append(names, t.Name)
	}
	return names, nil
}

// again asks twice: the first may meet a connection that a broker left when it was killed, and there may be more.
func again[T any](c *client, ask func() (T, error)) (T, error) {
	r, err := ask()
	if err != nil {
		c.Transport = transport()
		r, err = ask()
	}
	return r, err
}

func (c *client) Offset(topic string, partition int32, millis int64) (int64, error) {
	request := kafka.OffsetRequest{Partition: int(partition), Timestamp: millis}
	r, err := again(c, func() (*kafka.ListOffsetsResponse, error) {
		return c.ListOffsets(background, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {request}}})
	})
	if err != nil {
		return 0, err
	}
	one := r.Topics[topic][0]
	switch millis {
	case course.Last:
		return one.LastOffset, one.Error
	case course.First:
		return one.FirstOffset, one.Error
	}
	for offset := range one.Offsets {
		return offset, one.Error
	}
	return -1, one.Error
}

func (c *client) Group(group string) (string, int, error) {
	r, err := c.DescribeGroups(background, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return "", 0, err
	}
	return r.Groups[0].GroupState, len(r.Groups[0].Members), r.Groups[0].Error
}

func (c *client) DeleteGroup(group string) error {
	r, err := c.DeleteGroups(background, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return r.Errors[group]
}

func (c *client) Commit(group string, part course.Part, offset int64) error {
	_, err := c.OffsetCommit(background, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{part.Topic: {{Partition: int(part.Partition), Offset: offset}}}})
	return err
}

// Committed asks for all partitions of all topics: it cannot ask for those that there are.
func (c *client) Committed(group string) (map[course.Part]int64, error) {
	known, err := c.Metadata(background, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	topics := map[string][]int{}
	for _, t := range known.Topics {
		for _, p := range t.Partitions {
			topics[t.Name] = append(topics[t.Name], p.ID)
		}
	}
	r, err := c.OffsetFetch(background, &kafka.OffsetFetchRequest{GroupID: group, Topics: topics})
	if err != nil {
		return nil, err
	}
	all := map[course.Part]int64{}
	for topic, parts := range r.Topics {
		for _, p := range parts {
			if p.CommittedOffset >= 0 {
				all[course.Part{Topic: topic, Partition: int32(p.Partition)}] = p.CommittedOffset
			}
		}
	}
	return all, r.Error
}

// ---- producing and reading ----

type pending struct {
	record course.Record
	done   func(course.Record, error)
}

type producer struct{ *kafka.Writer }

// finish sends those again that came to a broker about to stop: what it says of leaders then, the writer takes for
// the end.  Their order is lost by that.
func (p producer) finish(messages []kafka.Message, err error) {
	if errors.Is(err, protocol.ErrNoLeader) {
		go func() {
			for _, m := range messages {
				p.write(kafka.Message{Topic: m.Topic, Key: m.Key, Value: m.Value, Headers: m.Headers, WriterData: m.WriterData})
			}
		}()
		return
	}
	for _, m := range messages {
		p := m.WriterData.(pending)
		p.record.Partition, p.record.Offset = int32(m.Partition), m.Offset
		p.done(p.record, err)
	}
}

func (p producer) write(m kafka.Message) {
	// While the broker is away it cannot find out where to.
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := p.WriteMessages(background, m)
		if err == nil {
			return
		}
		course.Require(time.Now().Before(until), "%v", err)
	}
}

func named(m kafka.Message, _ ...int) int { return int(m.WriterData.(pending).record.Partition) }

func (c *client) Producer(codec string, _, byKey bool) course.Producer {
	w := &kafka.Writer{Addr: c.Addr, Balancer: kafka.BalancerFunc(named), MaxAttempts: 200, BatchSize: 10_000,
		BatchBytes: 12_000_000, BatchTimeout: 2 * time.Millisecond, RequiredAcks: kafka.RequireAll, Async: true,
		Transport: transport(), Compression: map[string]kafka.Compression{"gzip": kafka.Gzip,
			"snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}[codec]}
	if byKey {
		w.Balancer = kafka.Murmur2Balancer{}
	}
	p := producer{w}
	w.Completion = p.finish
	return p
}

func (p producer) Send(r course.Record, done func(course.Record, error)) {
	m := kafka.Message{Topic: r.Topic, Key: r.Key, Value: r.Value, WriterData: pending{r, done}}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	if r.Millis != 0 {
		m.Time = time.UnixMilli(r.Millis)
	}
	p.write(m)
}

func (p producer) Close() { must(p.Writer.Close()) }

func record(m kafka.Message) course.Record {
	r := course.Record{Topic: m.Topic, Partition: int32(m.Partition), Offset: m.Offset, Key: m.Key, Value: m.Value,
		Millis: m.Time.UnixMilli()}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, course.Header{Key: h.Key, Value: h.Value})
	}
	return r
}

func (c *client) reader(topic string, partition int, offset int64) *kafka.Reader {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.address}, Topic: topic, Partition: partition, MinBytes: 1,
		MaxBytes: 12_000_000, MaxWait: 500 * time.Millisecond, ReadBackoffMax: 200 * time.Millisecond})
	must(r.SetOffset(offset))
	return r
}

func (c *client) Read(topic string, partitions int, take func(course.Record) bool) {
	all := make(chan kafka.Message)
	ctx, stop := context.WithCancel(background)
	var ended sync.WaitGroup
	for p := 0; p < partitions; p++ {
		ended.Add(1)
		go func() {
			defer ended.Done()
			r := c.reader(topic, p, kafka.FirstOffset)
			defer r.Close()
			for {
				m, err := r.FetchMessage(ctx)
				if ctx.Err() != nil {
					return
				}
				must(err)
				select {
				case all <- m:
				case <-ctx.Done():
				}
			}
		}()
	}
	for more := true; more; {
		select {
		case m := <-all:
			more = take(record(m))
		case <-time.After(time.Minute):
			course.Require(false, "nothing to read in a minute")
		}
	}
	stop()
	ended.Wait()
}

// ---- groups ----

type member struct {
	*course.Own
	client *client
	group  *kafka.ConsumerGroup
	every  time.Duration
	take   func(course.Record)
	left   chan bool
}

func (c *client) Join(want course.Want, take func(course.Record)) course.Member {
	balancer := map[string]kafka.GroupBalancer{"": kafka.RangeGroupBalancer{}, "range": kafka.RangeGroupBalancer{},
		"roundrobin": kafka.RoundRobinGroupBalancer{}}[want.Strategy]
	start := kafka.FirstOffset
	if want.Reset == "latest" {
		start = kafka.LastOffset
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: want.Group, Brokers: []string{c.address},
		Topics: want.Topics, GroupBalancers: []kafka.GroupBalancer{balancer}, HeartbeatInterval: 200 * time.Millisecond,
		SessionTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond, StartOffset: start})
	must(err)
	m := &member{Own: course.NewOwn(), client: c, group: group, every: want.Every, take: take, left: make(chan bool)}
	go m.run()
	return m
}

func (m *member) run() {
	defer close(m.left)
	for {
		generation, err := m.group.Next(background)
		if errors.Is(err, kafka.ErrGroupClosed) {
			return
		}
		if err != nil {
			continue // the broker is away
		}
		m.Lose(nil)
		own := map[string][]int32{}
		for topic, parts := range generation.Assignments {
			for _, p := range parts {
				own[topic] = append(own[topic], int32(p.ID))
			}
		}
		m.Gain(own)
		for topic, parts := range generation.Assignments {
			for _, p := range parts {
				generation.Start(func(ctx context.Context) { m.follow(ctx, generation, topic, p) })
			}
		}
	}
}

// follow one partition as long as the generation lasts, which goes on until the last of these has ended.
func (m *member) follow(ctx context.Context, generation *kafka.Generation, topic string, p kafka.PartitionAssignment) {
	part := course.Part{Topic: topic, Partition: int32(p.ID)}
	r := m.client.reader(topic, p.ID, p.Offset)
	defer r.Close()
	next, last := p.Offset, time.Now()
	commit := func() {
		if next < 0 {
			return
		}
		if generation.CommitOffsets(map[string]map[int]int64{topic: {p.ID: next}}) == nil {
			m.Commits(map[course.Part]int64{part: next})
		}
		last = time.Now()
	}
	for {
		waits := ctx
		if m.every != 0 {
			var cancel context.CancelFunc
			waits, cancel = context.WithTimeout(ctx, m.every)
			defer cancel()
		}
		msg, err := r.FetchMessage(waits)
		if err == nil {
			m.take(record(msg))
			next = msg.Offset + 1
		} else if errors.Is(err, io.EOF) || ctx.Err() != nil {
			break
		}
		if m.every != 0 && time.Since(last) > m.every {
			commit()
		}
	}
	commit()
	m.Lose(map[string][]int32{topic: {part.Partition}})
}

func (m *member) Leave() error {
	err := m.group.Close()
	<-m.left
	return err
}

func main() {
	course.Run(course.Has{Exact: true, Strategies: []string{"range", "roundrobin"},
		Resets: []string{"earliest", "latest"}}, open)
}
