//! Scenarios of redis-rs on tokio, one per run. RESP in the environment is the protocol version.

mod blocking;
mod commands;
mod connections;
mod pubsub;

use std::{env, future::Future, time::Duration};

use redis::{aio::MultiplexedConnection, AsyncConnectionConfig, Client, ConnectionLike, RedisError};

pub type Outcome = Result<(), RedisError>;

const DEADLINE: Duration = Duration::from_secs(45);

pub fn resp3() -> bool {
    env::var("RESP").is_ok_and(|version| version == "3")
}

pub fn client() -> Client {
    let url = env::var("CACHE_URL").expect("CACHE_URL");
    let protocol = if resp3() { "resp3" } else { "resp2" };
    let client = Client::open(format!("{url}?protocol={protocol}")).expect("a usable URL");
    assert!(client.is_open());
    client
}

/// A connection whose blocking calls may take their time.
pub async fn connect() -> Result<MultiplexedConnection, RedisError> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    client().get_multiplexed_async_connection_with_config(&patient).await
}

pub async fn eventually<F, R>(what: &str, mut condition: F)
where
    F: FnMut() -> R,
    R: Future<Output = bool>,
{
    for _ in 0..3000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

const NAMES: [&str; 12] = [
    "multiplexed", "pipelines", "replies", "scripts", "streams", "watch", "pubsub", "pushes", "blocking", "cancelled",
    "caching", "manager",
];

async fn run(name: &str) -> Outcome {
    match name {
        "multiplexed" => commands::multiplexed().await,
        "pipelines" => commands::pipelines().await,
        "replies" => commands::replies().await,
        "scripts" => commands::scripts().await,
        "streams" => commands::streams().await,
        "watch" => connections::watch().await,
        "pubsub" => pubsub::pubsub().await,
        "pushes" => pubsub::pushes().await,
        "blocking" => blocking::blocking().await,
        "cancelled" => blocking::cancelled().await,
        "caching" => connections::caching().await,
        "manager" => connections::manager().await,
        _ => panic!("no scenario {name}"),
    }
}

#[tokio::main]
async fn main() {
    let name = env::args().nth(1).expect("the name of a scenario, or --list");
    if name == "--list" {
        println!("{}", NAMES.join("\n"));
        return;
    }
    tokio::time::timeout(DEADLINE, run(&name)).await.expect("no end in time").expect(&name);
}
