//! Listeners and backends at sockets in the file system.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::harness::*;

const WIRE: Wire = Wire { transport: Transport::Framed, protocol: Protocol::Binary };

#[test]
fn servers_of_both_libraries_are_reached_by_their_sockets_and_named_by_them() {
    let folder = tempfile::tempdir().unwrap();
    for (library, name) in [(Library::Thriftpy2, "one.sock"), (Library::Apache, "other.sock")] {
        let socket = folder.path().join(name);
        let mut backend = local_python_backend(library, WIRE, &socket);
        let config = gateway().local_endpoint(&socket).get_user("ttl = '1s'\nstale_if_error = '1h'");
        let endpoint = format!("unix:{}", socket.display());
        let looked = check_by(&config.text(), &["--connect"]);
        let said = String::from_utf8_lossy(&looked.stdout).into_owned();
        assert!(
            looked.status.success() && said.contains(&format!("{endpoint} answers framed binary")),
            "{said}"
        );
        let gateway = config.start();
        let mut client = PythonClient::connect(gateway.address(), Library::Apache, WIRE);
        let email = client.email(7);
        backend.kill();
        std::fs::remove_file(&socket).unwrap();
        // Long past `ttl`, it answers still, and whoever looks sees which endpoint is out.
        let labels = [("endpoint", endpoint.as_str()), ("state", "ejected")];
        eventually(|| {
            assert_eq!(client.email(7), email);
            gateway.metric("larder_endpoint_state", &labels) == 1
        });
        gateway.logs(&["endpoint ejected", &endpoint]);
        backend.revive();
        eventually(|| gateway.metric("larder_endpoint_state", &[("state", "rotating")]) == 1);
        eventually(|| client.call("getUser", serde_json::json!([8, "new"]))["value"]["id"] == 8);
    }
}

#[test]
fn clients_of_both_libraries_call_through_a_socket_whose_file_says_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, backend) = (folder.path().join("users.sock"), backend());
    // What one that was killed has left.
    drop(UnixListener::bind(&socket).unwrap());
    let local = format!(
        "bind = 'unix:{}'\nsocket_mode = '0660'\nservice = 'UserService'\nbackend = 'users'",
        socket.display()
    );
    let config =
        gateway().endpoint(backend.address()).section("listeners.local", &local).get_user("ttl = '1m'");
    let mut gateway = config.start();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let through = ["--unix", &socket.display().to_string()];
    for library in [Library::Thriftpy2, Library::Apache] {
        let mut client = PythonClient::connect_with(gateway.address(), library, WIRE, &through);
        assert_eq!(client.email(7), client.email(7));
    }
    let labels = [("listener", "local"), ("outcome", "hit_local")];
    assert_eq!(gateway.metric("larder_calls_total", &labels), 3);
    let other =
        larder().args(["serve", "--config"]).arg(write(folder.path(), &config.text())).output().unwrap();
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && said.contains("listener local cannot be bound to unix:"), "{said}");
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(!socket.exists(), "it goes with its gateway");
}

fn write(folder: &Path, config: &str) -> PathBuf {
    let path = folder.join("larder.toml");
    std::fs::write(&path, config).unwrap();
    path
}

#[test]
fn what_is_no_socket_or_needs_a_name_is_told_by_check() {
    let told = |endpoint: &str, tls: &str, part: &str| {
        let text = format!("endpoints = ['{endpoint}']\n{tls}");
        let text = format!(
            "[listeners.users]\nbind = '127.0.0.1:0'\nservice = 'UserService'\nbackend = 'users'\n[backends.users]\n{text}"
        );
        let checked = check(&text);
        let said = String::from_utf8_lossy(&[&checked.stdout[..], &checked.stderr].concat()).into_owned();
        assert!(said.contains(part), "{said}");
    };
    told("unix:users.sock", "", "a socket's path begins with /");
    let papers = Papers::new();
    told("unix:/run/users.sock", &papers.believed(), "backends.users.tls.server_name: must be given");
    let named = papers.believed().replace(" }", ", server_name = 'users' }");
    told("unix:/run/users.sock", &named, "no problems");
}
