// Scenarios of rueidis: auto-pipelining over few connections, client-side caching, dedicated connections.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	. "sidecar/clients/scenario"
)

func connect(change ...func(*rueidis.ClientOption)) rueidis.Client {
	option := Must(rueidis.ParseURL(os.Getenv("CACHE_URL")))
	for _, apply := range change {
		apply(&option)
	}
	return Must(rueidis.NewClient(option))
}

func pipelining(ctx context.Context) {
	client := connect()
	defer client.Close()
	var workers sync.WaitGroup
	for worker := range 100 {
		workers.Go(func() {
			key := fmt.Sprintf("k%d", worker)
			for number := range 100 {
				Check(client.Do(ctx, client.B().Set().Key(key).Value(strconv.Itoa(number)).Build()).Error())
				Equal(Must(client.Do(ctx, client.B().Get().Key(key).Build()).AsInt64()), int64(number))
			}
		})
	}
	workers.Wait()
	commands := make(rueidis.Commands, 0, 2000)
	for number := range 2000 {
		commands = append(commands, client.B().Incr().Key(fmt.Sprintf("n%d", number%10)).Build())
	}
	for number, reply := range client.DoMulti(ctx, commands...) {
		Equal(Must(reply.AsInt64()), int64(number/10+1))
	}
}

func caching(ctx context.Context) {
	cached, writer := connect(), connect()
	defer cached.Close()
	defer writer.Close()
	read := func() rueidis.RedisResult {
		return cached.DoCache(ctx, cached.B().Get().Key("price").Cache(), time.Minute)
	}
	write := func(price int) {
		Check(writer.Do(ctx, writer.B().Set().Key("price").Value(strconv.Itoa(price)).Build()).Error())
	}
	write(0)
	Equal(read().IsCacheHit(), false)
	Equal(read().IsCacheHit(), true)
	for price := 1; price <= 20; price++ {
		write(price)
		Eventually("the new price", func() bool { return Must(read().AsInt64()) == int64(price) })
	}
	Equal(read().IsCacheHit(), true)
	Check(writer.Do(ctx, writer.B().Del().Key("price").Build()).Error())
	Eventually("the deletion", func() bool { return rueidis.IsRedisNil(read().Error()) })
}

func cachingMany(ctx context.Context) {
	cached, writer := connect(), connect()
	defer cached.Close()
	defer writer.Close()
	keys := make([]string, 200)
	for number := range keys {
		keys[number] = fmt.Sprintf("k%d", number)
		Check(writer.Do(ctx, writer.B().Set().Key(keys[number]).Value("old").Build()).Error())
	}
	read := func() map[string]rueidis.RedisMessage {
		return Must(rueidis.MGetCache(cached, ctx, time.Minute, keys))
	}
	Equal(len(read()), 200)
	for _, key := range keys {
		Check(writer.Do(ctx, writer.B().Set().Key(key).Value("new").Build()).Error())
	}
	Eventually("all new", func() bool {
		for _, message := range read() {
			if text, err := message.ToString(); err != nil || text != "new" {
				return false
			}
		}
		return true
	})
}

func withoutCache(ctx context.Context) {
	client := connect(func(option *rueidis.ClientOption) { option.DisableCache, option.AlwaysRESP2 = true, true })
	defer client.Close()
	Check(client.Do(ctx, client.B().Hset().Key("h").FieldValue().FieldValue("a", "1").Build()).Error())
	Equal(Must(client.Do(ctx, client.B().Hgetall().Key("h").Build()).AsStrMap()), map[string]string{"a": "1"})
}

func watch(ctx context.Context) {
	client := connect()
	defer client.Close()
	Check(client.Do(ctx, client.B().Set().Key("n").Value("0").Build()).Error())
	increment := func(dedicated rueidis.DedicatedClient) error {
		Check(dedicated.Do(ctx, dedicated.B().Watch().Key("n").Build()).Error())
		value := Must(dedicated.Do(ctx, dedicated.B().Get().Key("n").Build()).AsInt64())
		replies := dedicated.DoMulti(ctx, dedicated.B().Multi().Build(),
			dedicated.B().Set().Key("n").Value(strconv.FormatInt(value+1, 10)).Build(), dedicated.B().Exec().Build())
		return replies[2].Error()
	}
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for done := 0; done < 20; {
				err := client.Dedicated(increment)
				if err == nil {
					done++
				} else if !rueidis.IsRedisNil(err) {
					panic(err)
				}
			}
		})
	}
	workers.Wait()
	Equal(Must(client.Do(ctx, client.B().Get().Key("n").Build()).AsInt64()), int64(120))
}

func pubsub(ctx context.Context) {
	client := connect()
	defer client.Close()
	received := make(chan string, 200)
	var listener sync.WaitGroup
	listener.Go(func() {
		Check(client.Receive(ctx, client.B().Subscribe().Channel("news", "sport").Build(),
			func(message rueidis.PubSubMessage) { received <- message.Channel + " " + message.Message }))
	})
	publish := func(text string) int64 {
		return Must(client.Do(ctx, client.B().Publish().Channel("news").Message(text).Build()).AsInt64())
	}
	Eventually("subscribed", func() bool { return publish("hello") == 1 })
	Equal(<-received, "news hello")
	for number := range 100 {
		Equal(publish(strconv.Itoa(number)), int64(1))
		Equal(<-received, "news "+strconv.Itoa(number))
	}
	Check(client.Do(ctx, client.B().Unsubscribe().Channel("news", "sport").Build()).Error())
	listener.Wait()
	Equal(publish("late"), int64(0))
}

func blocking(ctx context.Context) {
	client := connect()
	defer client.Close()
	var workers sync.WaitGroup
	var lock sync.Mutex
	var popped []int
	for range 20 {
		workers.Go(func() {
			for range 10 {
				pair := Must(client.Do(ctx, client.B().Brpop().Key("urgent", "jobs").Timeout(20).Build()).AsStrSlice())
				lock.Lock()
				popped = append(popped, Must(strconv.Atoi(pair[1])))
				lock.Unlock()
			}
		})
	}
	for number := range 200 {
		list := []string{"urgent", "jobs"}[number%2]
		Check(client.Do(ctx, client.B().Lpush().Key(list).Element(strconv.Itoa(number)).Build()).Error())
	}
	workers.Wait()
	slices.Sort(popped)
	for number := range 200 {
		Equal(popped[number], number)
	}
}

func cancelled(ctx context.Context) {
	client, admin := connect(), connect()
	defer client.Close()
	defer admin.Close()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := client.Do(short, client.B().Blpop().Key("jobs").Timeout(20).Build()).Error()
	Equal(errors.Is(err, context.DeadlineExceeded), true)
	client.Close()
	Eventually("the parked call is gone", func() bool {
		text := Must(admin.Do(ctx, admin.B().Arbitrary("INFO", "clients").Build()).ToString())
		return slices.Contains(slices.Collect(lines(text)), "blocked_clients:0")
	})
	Check(admin.Do(ctx, admin.B().Rpush().Key("jobs").Element("kept").Build()).Error())
	Equal(Must(admin.Do(ctx, admin.B().Blpop().Key("jobs").Timeout(5).Build()).AsStrSlice()), []string{"jobs", "kept"})
}

func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for start, end := 0, 0; end < len(text); end++ {
			if text[end] == '\r' {
				if !yield(text[start:end]) {
					return
				}
				start = end + 2
			}
		}
	}
}

func scripts(ctx context.Context) {
	client := connect()
	defer client.Close()
	script := rueidis.NewLuaScript("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
	Equal(Must(script.Exec(ctx, client, []string{"n"}, []string{"4"}).AsInt64()), int64(8))
	Check(client.Do(ctx, client.B().ScriptFlush().Build()).Error())
	Equal(Must(script.Exec(ctx, client, []string{"n"}, []string{"1"}).AsInt64()), int64(10))
}

func main() {
	Main(Entry{"pipelining", pipelining}, Entry{"caching", caching}, Entry{"caching-many", cachingMany},
		Entry{"without-cache", withoutCache}, Entry{"watch", watch}, Entry{"pubsub", pubsub},
		Entry{"blocking", blocking}, Entry{"cancelled", cancelled}, Entry{"scripts", scripts})
}
