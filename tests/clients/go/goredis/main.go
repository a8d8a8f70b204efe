// Scenarios of go-redis. RESP in the environment is the protocol version.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	. "sidecar/clients/scenario"
)

func connect(change ...func(*redis.Options)) *redis.Client {
	options := Must(redis.ParseURL(os.Getenv("CACHE_URL")))
	if protocol, err := strconv.Atoi(os.Getenv("RESP")); err == nil {
		options.Protocol = protocol
	}
	for _, apply := range change {
		apply(options)
	}
	return redis.NewClient(options)
}

func pipelines(ctx context.Context) {
	client := connect()
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			pipe := client.Pipeline()
			gets := make([]*redis.StringCmd, 1000)
			for number := range gets {
				key := fmt.Sprintf("k%d-%d", worker, number)
				pipe.Set(ctx, key, number, 0)
				gets[number] = pipe.Get(ctx, key)
			}
			Must(pipe.Exec(ctx))
			for number, get := range gets {
				Equal(Must(get.Int()), number)
			}
		})
	}
	workers.Wait()
	large := make([]byte, 5_000_000)
	rand.New(rand.NewSource(1)).Read(large)
	Check(client.Set(ctx, "large", large, 0).Err())
	Equal(bytes.Equal(Must(client.Get(ctx, "large").Bytes()), large), true)
}

func replies(ctx context.Context) {
	client := connect()
	client.HSet(ctx, "h", "a", 1, "b", 2)
	Equal(Must(client.HGetAll(ctx, "h").Result()), map[string]string{"a": "1", "b": "2"})
	client.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "x"}, redis.Z{Score: 2, Member: "y"})
	Equal(Must(client.ZRangeWithScores(ctx, "z", 0, -1).Result()),
		[]redis.Z{{Score: 1.5, Member: "x"}, {Score: 2, Member: "y"}})
	Equal(errors.Is(client.Get(ctx, "none").Err(), redis.Nil), true)
	Equal(client.Incr(ctx, "h").Err().Error(), "WRONGTYPE Operation against a key holding the wrong kind of value")
	Equal(Must(client.Do(ctx, "OBJECT", "ENCODING", "h").Text()), "listpack")
}

func transactions(ctx context.Context) {
	client := connect()
	var incremented *redis.IntCmd
	Must(client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "n", 41, 0)
		incremented = pipe.Incr(ctx, "n")
		return nil
	}))
	Equal(incremented.Val(), int64(42))
}

func watch(ctx context.Context) {
	client := connect()
	Check(client.Set(ctx, "n", 0, 0).Err())
	increment := func(tx *redis.Tx) error {
		value, err := tx.Get(ctx, "n").Int()
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, "n", value+1, 0)
			return nil
		})
		return err
	}
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for done := 0; done < 20; {
				err := client.Watch(ctx, increment, "n")
				if err == nil {
					done++
				} else if !errors.Is(err, redis.TxFailedErr) {
					panic(err)
				}
			}
		})
	}
	workers.Wait()
	Equal(Must(client.Get(ctx, "n").Int()), 120)
}

func pubsub(ctx context.Context) {
	client := connect()
	subscriber := client.Subscribe(ctx, "news")
	defer subscriber.Close()
	Must(subscriber.Receive(ctx))
	Check(subscriber.PSubscribe(ctx, "w*"))
	Must(subscriber.Receive(ctx))
	messages := subscriber.Channel()
	for number := range 100 {
		Equal(Must(client.Publish(ctx, "news", number).Result()), int64(1))
	}
	Must(client.Publish(ctx, "weather", "sun").Result())
	for number := range 100 {
		message := <-messages
		Equal([]string{message.Channel, message.Payload}, []string{"news", strconv.Itoa(number)})
	}
	message := <-messages
	Equal([]string{message.Pattern, message.Channel, message.Payload}, []string{"w*", "weather", "sun"})
	Check(subscriber.Unsubscribe(ctx, "news"))
	Eventually("unsubscribed", func() bool { return client.Publish(ctx, "news", "late").Val() == 0 })
}

func blocking(ctx context.Context) {
	client := connect(func(options *redis.Options) { options.PoolSize = 40 })
	var workers sync.WaitGroup
	var lock sync.Mutex
	var popped []int
	for range 20 {
		workers.Go(func() {
			for range 10 {
				pair := Must(client.BRPop(ctx, 20*time.Second, "urgent", "jobs").Result())
				lock.Lock()
				popped = append(popped, Must(strconv.Atoi(pair[1])))
				lock.Unlock()
			}
		})
	}
	for number := range 200 {
		Check(client.LPush(ctx, []string{"urgent", "jobs"}[number%2], number).Err())
	}
	workers.Wait()
	slices.Sort(popped)
	for number := range 200 {
		Equal(popped[number], number)
	}
	Equal(errors.Is(client.BLPop(ctx, time.Second, "nothing").Err(), redis.Nil), true)
}

// A call whose context ends closes its connection; what is pushed afterwards belongs to the next caller.
func cancelled(ctx context.Context) {
	client := connect(func(options *redis.Options) { options.ContextTimeoutEnabled = true })
	admin := connect()
	for turn := range 5 {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		err := client.BLPop(short, 20*time.Second, "jobs").Err()
		cancel()
		Equal(err != nil && !errors.Is(err, redis.Nil), true)
		Eventually("the parked call is gone", func() bool {
			blocked := Must(admin.InfoMap(ctx, "clients").Result())["Clients"]["blocked_clients"]
			return blocked == "0"
		})
		Check(admin.RPush(ctx, "jobs", turn).Err())
		Equal(Must(client.BLPop(ctx, 5*time.Second, "jobs").Result()), []string{"jobs", strconv.Itoa(turn)})
	}
}

func scripts(ctx context.Context) {
	client := connect()
	script := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
	Equal(Must(script.Run(ctx, client, []string{"n"}, 4).Int()), 8)
	Check(client.ScriptFlush(ctx).Err())
	Equal(Must(script.Run(ctx, client, []string{"n"}, 1).Int()), 10)
}

func streams(ctx context.Context) {
	client := connect()
	Check(client.XGroupCreateMkStream(ctx, "orders", "g", "$").Err())
	received := make(chan string, 50)
	go func() {
		for count := 0; count < 50; {
			streams := Must(client.XReadGroup(ctx, &redis.XReadGroupArgs{
				Group: "g", Consumer: "c", Streams: []string{"orders", ">"}, Count: 7, Block: 10 * time.Second,
			}).Result())
			for _, message := range streams[0].Messages {
				Equal(Must(client.XAck(ctx, "orders", "g", message.ID).Result()), int64(1))
				received <- message.ID
				count++
			}
		}
	}()
	for number := range 50 {
		id := Must(client.XAdd(ctx, &redis.XAddArgs{Stream: "orders", Values: []any{"n", number}}).Result())
		Equal(<-received, id)
	}
	Equal(Must(client.XPending(ctx, "orders", "g").Result()).Count, int64(0))
}

func main() {
	Main(Entry{"pipelines", pipelines}, Entry{"replies", replies}, Entry{"transactions", transactions},
		Entry{"watch", watch}, Entry{"pubsub", pubsub}, Entry{"blocking", blocking}, Entry{"cancelled", cancelled},
		Entry{"scripts", scripts}, Entry{"streams", streams})
}
