use futures_util::StreamExt;
use redis::{AsyncCommands, AsyncConnectionConfig, PushInfo, PushKind, Value};

use crate::{client, connect, eventually, resp3, Outcome};

pub async fn pubsub() -> Outcome {
    let mut publisher = connect().await?;
    let mut subscriber = client().get_async_pubsub().await?;
    subscriber.subscribe(&["news", "sport"]).await?;
    subscriber.psubscribe("w*").await?;
    for number in 0..100 {
        let receivers: u32 = publisher.publish("news", number).await?;
        assert_eq!(receivers, 1);
    }
    let () = publisher.publish("weather", "sun").await?;
    {
        let mut messages = subscriber.on_message();
        for number in 0..100u32 {
            let message = messages.next().await.expect("a message");
            assert_eq!((message.get_channel_name(), message.get_payload::<u32>()?), ("news", number));
        }
        let message = messages.next().await.expect("a message");
        assert_eq!(message.get_pattern::<String>()?, "w*");
        assert_eq!(message.get_payload::<String>()?, "sun");
    }
    subscriber.unsubscribe("news").await?;
    let receivers: u32 = publisher.publish("news", "late").await?;
    assert_eq!(receivers, 0);
    drop(subscriber);
    eventually("nobody listens", || {
        let mut publisher = publisher.clone();
        async move { publisher.publish::<_, _, u32>("sport", "late").await.expect("a count") == 0 }
    })
    .await;
    Ok(())
}

/// RESP3: messages come as pushes on the connection that also carries commands. RESP2 refuses.
pub async fn pushes() -> Outcome {
    let (sender, mut pushed) = tokio::sync::mpsc::unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    if !resp3() {
        assert!(client().get_multiplexed_async_connection_with_config(&config).await.is_err());
        return Ok(());
    }
    let mut connection = client().get_multiplexed_async_connection_with_config(&config).await?;
    connection.subscribe("room").await?;
    for number in 0..50 {
        let receivers: u32 = connection.publish("room", number).await?;
        assert_eq!(receivers, 1);
        let () = connection.set("n", number).await?;
    }
    for number in 0..50 {
        let data = loop {
            let PushInfo { kind, data } = pushed.recv().await.expect("a push");
            if kind == PushKind::Message {
                break data;
            }
        };
        assert_eq!(data[1], Value::BulkString(number.to_string().into_bytes()));
    }
    Ok(())
}
