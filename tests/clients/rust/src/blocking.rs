use std::time::Duration;

use redis::AsyncCommands;

use crate::{connect, eventually, Outcome};

pub async fn blocking() -> Outcome {
    let mut consumers = vec![];
    for _ in 0..20 {
        let mut mine = connect().await?;
        consumers.push(tokio::spawn(async move {
            let mut popped = vec![];
            for _ in 0..10 {
                let (_, value): (String, u32) = mine.brpop(&["urgent", "jobs"], 20.0).await.expect("an element");
                popped.push(value);
            }
            popped
        }));
    }
    let mut producer = connect().await?;
    for number in 0..200u32 {
        let list = if number % 2 == 0 { "urgent" } else { "jobs" };
        let () = producer.lpush(list, number).await?;
    }
    let mut popped = vec![];
    for consumer in consumers {
        popped.extend(consumer.await.expect("the consumer"));
    }
    popped.sort();
    assert!(popped.into_iter().eq(0..200));
    let nothing: Option<(String, String)> = producer.blpop("nothing", 0.1).await?;
    assert_eq!(nothing, None);
    Ok(())
}

/// A dropped call and connection take nothing that is pushed later.
pub async fn cancelled() -> Outcome {
    let mut admin = connect().await?;
    for turn in 0..5 {
        let mut mine = connect().await?;
        let parked = tokio::spawn(async move {
            let _: Option<(String, String)> = mine.blpop("jobs", 20.0).await.expect("a reply");
        });
        eventually("parked", || blocked(admin.clone(), 1)).await;
        parked.abort();
        eventually("the parked call is gone", || blocked(admin.clone(), 0)).await;
        let () = admin.rpush("jobs", turn).await?;
        let kept: (String, i32) =
            tokio::time::timeout(Duration::from_secs(5), admin.blpop("jobs", 5.0)).await.expect("in time")?;
        assert_eq!(kept, ("jobs".to_owned(), turn));
    }
    Ok(())
}

async fn blocked(mut admin: redis::aio::MultiplexedConnection, count: u32) -> bool {
    let text: String = redis::cmd("INFO").arg("clients").query_async(&mut admin).await.expect("INFO");
    text.lines().any(|line| line == format!("blocked_clients:{count}"))
}
