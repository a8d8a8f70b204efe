use redis::{
    aio::{transaction_async, ConnectionManager, ConnectionManagerConfig},
    caching::CacheConfig,
    AsyncCommands, AsyncConnectionConfig,
};

use crate::{client, connect, eventually, resp3, Outcome};

pub async fn watch() -> Outcome {
    let mut admin = connect().await?;
    let () = admin.set("n", 0).await?;
    let workers = (0..6).map(|_| {
        tokio::spawn(async {
            let connection = connect().await.expect("a connection");
            for _ in 0..20 {
                let _: (i64,) = transaction_async(connection.clone(), &["n"], |mut connection, mut pipe| async move {
                    let value: i64 = connection.get("n").await?;
                    pipe.set("n", value + 1).ignore().get("n").query_async(&mut connection).await
                })
                .await
                .expect("the transaction");
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("the worker");
    }
    let n: i64 = admin.get("n").await?;
    assert_eq!(n, 120);
    Ok(())
}

/// Client-side caching is a RESP3 feature; RESP2 refuses.
pub async fn caching() -> Outcome {
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::new());
    if !resp3() {
        assert!(client().get_multiplexed_async_connection_with_config(&config).await.is_err());
        return Ok(());
    }
    let mut cached = client().get_multiplexed_async_connection_with_config(&config).await?;
    let mut writer = connect().await?;
    let () = writer.set("price", 0).await?;
    for _ in 0..3 {
        let price: u32 = cached.get("price").await?;
        assert_eq!(price, 0);
    }
    assert!(cached.get_cache_statistics().expect("statistics").hit >= 2, "nothing came from the cache");
    for price in 1..20u32 {
        let () = writer.set("price", price).await?;
        eventually("the new price", || {
            let mut cached = cached.clone();
            async move { cached.get::<_, u32>("price").await.expect("a price") == price }
        })
        .await;
    }
    Ok(())
}

/// The connection manager survives that its connection is killed.
pub async fn manager() -> Outcome {
    let mut admin = connect().await?;
    let mut managed = ConnectionManager::new_with_config(client(), ConnectionManagerConfig::new()).await?;
    for turn in 0..5 {
        let id: i64 = redis::cmd("CLIENT").arg("ID").query_async(&mut managed).await?;
        let killed: i64 = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).query_async(&mut admin).await?;
        assert_eq!(killed, 1);
        eventually("connected again", || {
            let mut managed = managed.clone();
            async move { managed.set::<_, _, ()>("turn", turn).await.is_ok() }
        })
        .await;
        let stored: i32 = managed.get("turn").await?;
        assert_eq!(stored, turn);
    }
    Ok(())
}
