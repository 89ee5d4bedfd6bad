//! The configuration that the demo's gateway runs with.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::{Config, Loaded};

/// The demo's configuration, as `larder serve --config FILE` would read it.
pub(super) fn load(endpoints: &[SocketAddr], redis: Option<&str>) -> Loaded {
    let text = text(endpoints, redis);
    let read = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
        Some("demo.toml") => Ok(text.clone()),
        Some("users.thrift") => Ok(IDL.to_owned()),
        Some(_) | None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(Path::new("demo.toml"), &read, &|_| None)
}

fn text(endpoints: &[SocketAddr], redis: Option<&str>) -> String {
    let endpoints: Vec<String> = endpoints.iter().map(|endpoint| format!("\"{endpoint}\"")).collect();
    let shared = match redis {
        // A key of its own for each run: an answer of yesterday's demo would be the oldest one served.
        Some(url) => format!(
            "[cache.shared]\nurl = {url:?}\nprefix = \"larder-demo-{}\"\nkeep = \"1m\"\n",
            std::process::id()
        ),
        None => String::new(),
    };
    TEMPLATE.replace("ENDPOINTS", &endpoints.join(", ")).replace("SHARED\n", &shared)
}

/// Short times, so that a few seconds show what takes minutes elsewhere.
const TEMPLATE: &str = r#"
[admin]
bind = "127.0.0.1:0"

[listeners.users]
bind = "127.0.0.1:0"
service = "UserService"
backend = "users"
idl = "users.thrift"

[backends.users]
endpoints = [ENDPOINTS]
max_connections = 16
ejection_time = "250ms"
ejection_time_max = "500ms"

SHARED
[flights]
refresh_pause = "250ms"

[rules."UserService.getUser"]
ttl = "1s"
ttl_jitter = 0.2
stale_while_revalidate = "1s"
stale_if_error = "5m"
ignore = ["trace_id"]
cache_exceptions = ["NotFound"]
failure_exceptions = ["Unavailable"]

[rules."UserService.listUsers"]
ttl = "500ms"
stale_if_error = "5m"
"#;
const IDL: &str = include_str!("../../idl/users.thrift");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_right_with_and_without_redis() {
        let endpoints = ["127.0.0.1:20001".parse().unwrap(), "127.0.0.1:20002".parse().unwrap()];
        for redis in [None, Some("redis://127.0.0.1:6379/0")] {
            let loaded = load(&endpoints, redis);
            assert_eq!(loaded.problems, []);
            let config = loaded.config.unwrap();
            assert_eq!(config.cache.shared.is_some(), redis.is_some());
            assert_eq!((config.backends["users"].endpoints.len(), config.rules.len()), (2, 2));
        }
    }

    #[test]
    fn a_redis_address_that_is_none_is_told() {
        assert!(load(&["127.0.0.1:20001".parse().unwrap()], Some("nonsense \"\n")).config.is_none());
    }
}
