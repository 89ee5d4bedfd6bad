//! Gateways that share a secret believe what they have signed, and nothing else.

use std::fs;

use tempfile::TempDir;

use crate::harness::*;

const OLD: &str = "an old secret, 32 bytes or longer";
const NEW: &str = "a new secret of 32 bytes or longer";

/// A backend, a Redis, and a folder for secrets.
struct Scene {
    backend: Backend,
    redis: Redis,
    secrets: TempDir,
}

fn scene() -> Scene {
    Scene { backend: backend(), redis: redis(), secrets: TempDir::new().unwrap() }
}

impl Scene {
    /// A gateway that has these secrets, or none, and has found Redis.
    fn gateway(&self, secrets: &[&str]) -> Gateway {
        let mut builder =
            gateway().endpoint(self.backend.address()).shared(&self.redis).get_user("ttl = '60s'");
        if !secrets.is_empty() {
            let file = self.secrets.path().join("secret");
            fs::write(&file, secrets.join("\n")).unwrap();
            builder = builder.section("cache.shared", &format!("secret_file = '{}'", file.display()));
        }
        let gateway = builder.start();
        gateway.finds_redis();
        gateway
    }

    /// Whether `reader` believes what `writer` has kept.
    fn believes(&self, reader: &[&str], writer: &[&str]) -> bool {
        self.redis.flush();
        let (writer, reader) = (self.gateway(writer), self.gateway(reader));
        let known = writer.client().get_user(7).email();
        self.redis.only_key();
        reader.client().get_user(7).email() == known
    }
}

fn unreadable(gateway: &Gateway, why: &str) -> u64 {
    gateway.metric("larder_shared_reads_total", &[("result", &format!("unreadable_{why}"))])
}

#[test]
fn secrets_change_one_gateway_after_another() {
    let scene = scene();
    for (reader, writer) in [(&[NEW, OLD][..], &[OLD][..]), (&[OLD, NEW], &[NEW, OLD]), (&[NEW], &[NEW, OLD])]
    {
        assert!(scene.believes(reader, writer), "{reader:?} of {writer:?}");
    }
    assert!(scene.believes(&[], &[NEW]), "who has no secret yet reads all");
}

#[test]
fn what_is_not_signed_or_by_others_is_a_miss_and_counted() {
    let scene = scene();
    for (writer, why) in [(&[][..], "unsigned"), (&[OLD][..], "forged")] {
        scene.redis.flush();
        let (writer, reader) = (scene.gateway(writer), scene.gateway(&[NEW]));
        let known = writer.client().get_user(7).email();
        let key = scene.redis.only_key();
        let value = scene.redis.value(&key);
        assert_ne!(reader.client().get_user(7).email(), known);
        assert_eq!((unreadable(&reader, why), reader.outcomes("miss")), (1, 1));
        eventually(|| scene.redis.value(&key) != value);
        assert_eq!(scene.gateway(&[NEW]).client().get_user(7).user_id(), 7);
    }
}

#[test]
fn a_value_under_another_key_is_a_miss_and_counted() {
    let scene = scene();
    let writer = scene.gateway(&[NEW]);
    writer.client().get_user(7);
    let seven = scene.redis.only_key();
    writer.client().get_user(8);
    let eight = found(|| scene.redis.keys().into_iter().find(|key| *key != seven));
    scene.redis.set(&seven, &scene.redis.value(&eight));
    let reader = scene.gateway(&[NEW]);
    assert_eq!(reader.client().get_user(7).user_id(), 7);
    assert_eq!(unreadable(&reader, "other_key"), 1);
}
