use std::collections::HashMap;

use redis::{
    streams::{StreamReadOptions, StreamReadReply},
    AsyncCommands, ErrorKind, Script, ServerErrorKind,
};

use crate::{connect, Outcome};

/// One connection, many tasks: every task gets the replies to its own commands.
pub async fn multiplexed() -> Outcome {
    let connection = connect().await?;
    let tasks = (0..200).map(|task: u32| {
        let mut mine = connection.clone();
        tokio::spawn(async move {
            for turn in 0..50u32 {
                let key = format!("k{task}");
                let () = mine.set(&key, task * 1000 + turn).await?;
                let value: u32 = mine.get(&key).await?;
                assert_eq!(value, task * 1000 + turn);
            }
            Outcome::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("the task")?;
    }
    let large = vec![b'\n'; 5_000_000];
    let () = connect().await?.set("large", &large).await?;
    let back: Vec<u8> = connect().await?.get("large").await?;
    assert!(back == large);
    Ok(())
}

pub async fn pipelines() -> Outcome {
    let mut connection = connect().await?;
    let mut pipe = redis::pipe();
    for number in 0..5000 {
        pipe.set(format!("k{number}"), number).ignore().get(format!("k{number}"));
    }
    let values: Vec<usize> = pipe.query_async(&mut connection).await?;
    assert!(values.into_iter().eq(0..5000));
    let (first, second): (i64, Option<String>) =
        redis::pipe().atomic().incr("n", 41).get("none").query_async(&mut connection).await?;
    assert_eq!((first, second), (41, None));
    let () = connection.set("text", "x").await?;
    let failed: Result<(i64, i64), _> =
        redis::pipe().atomic().incr("text", 1).incr("n", 1).query_async(&mut connection).await;
    assert!(failed.is_err());
    let n: i64 = connection.get("n").await?;
    assert_eq!(n, 42, "the command after the failing one ran");
    Ok(())
}

pub async fn replies() -> Outcome {
    let mut connection = connect().await?;
    let () = connection.hset_multiple("h", &[("a", 1), ("b", 2)]).await?;
    let hash: HashMap<String, i64> = connection.hgetall("h").await?;
    assert_eq!(hash, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
    let () = connection.zadd_multiple("z", &[(1.5, "x"), (2.0, "y")]).await?;
    let scores: Vec<(String, f64)> = connection.zrange_withscores("z", 0, -1).await?;
    assert_eq!(scores, [("x".to_owned(), 1.5), ("y".to_owned(), 2.0)]);
    let wrong: Result<i64, _> = connection.incr("h", 1).await;
    assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    let unknown: Result<(), _> = redis::cmd("NOSUCHCOMMAND").query_async(&mut connection).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    let is_member: bool = connection.sismember("s", "none").await?;
    assert!(!is_member);
    Ok(())
}

pub async fn scripts() -> Outcome {
    let mut connection = connect().await?;
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)");
    let first: i64 = script.key("n").arg(4).invoke_async(&mut connection).await?;
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await?;
    let second: i64 = script.key("n").arg(1).invoke_async(&mut connection).await?;
    assert_eq!((first, second), (8, 10));
    Ok(())
}

pub async fn streams() -> Outcome {
    let (mut producer, mut worker) = (connect().await?, connect().await?);
    let () = producer.xgroup_create_mkstream("orders", "g", "$").await?;
    let reader = tokio::spawn(async move {
        let options = StreamReadOptions::default().group("g", "c").count(7).block(10_000);
        let mut ids = vec![];
        while ids.len() < 50 {
            let reply: StreamReadReply = worker.xread_options(&["orders"], &[">"], &options).await.expect("a batch");
            for entry in &reply.keys[0].ids {
                let acknowledged: u32 = worker.xack("orders", "g", &[&entry.id]).await.expect("the acknowledgement");
                assert_eq!(acknowledged, 1);
                ids.push(entry.id.clone());
            }
        }
        ids
    });
    let mut written: Vec<String> = vec![];
    for number in 0..50 {
        written.push(producer.xadd("orders", "*", &[("n", number)]).await?);
    }
    assert_eq!(reader.await.expect("the reader"), written);
    Ok(())
}
