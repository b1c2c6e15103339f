//! Debian's Redis server on loopback, in place of ElastiCache. It can be killed, stopped, filled and damaged.

use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api::eventually::{Deadline, eventually};
use crate::{make, process, stack};

/// A Redis server. Dropping it ends it.
pub struct Cache {
    port: u16,
    server: Child,
}

impl Cache {
    /// Starts an empty server.
    pub async fn start() -> Cache {
        let port = stack::free_port();
        let cache = Cache { port, server: spawn(port) };
        cache.answers().await;
        cache
    }

    /// `redis://127.0.0.1:PORT`, the parameter `CacheUrl`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it. All that it holds is lost.
    pub fn kill(&mut self) {
        let _ = self.server.kill().and_then(|()| self.server.wait());
    }

    /// Starts a killed server again.
    pub async fn restart(&mut self) {
        self.server = spawn(self.port);
        self.answers().await;
    }

    /// Stops the process: the machine still accepts connections and bytes, and nothing answers.
    pub fn stop(&self) {
        assert!(process::signal(self.server.id(), "STOP"));
    }

    /// Continues a stopped process.
    pub fn go_on(&self) {
        assert!(process::signal(self.server.id(), "CONT"));
    }

    /// Delays all commands for a second.
    pub async fn pause(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(b"CLIENT PAUSE 1000 ALL\r\n").await.unwrap();
        let mut reply = [0; 5];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"+OK\r\n");
    }

    /// Executes a command; returns the reply as sent.
    pub async fn command(&self, command: &str) -> String {
        self.try_command(command).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Executes a Lua script.
    pub async fn script(&self, script: &str) {
        let reply = self.command(&format!("EVAL \"{script}\" 0")).await;
        assert!(!reply.starts_with('-'), "{reply}");
    }

    /// Values that it has found for clients since it was started.
    pub async fn hits(&self) -> u64 {
        let stats = self.command("INFO stats").await;
        let hits = stats.lines().find_map(|line| line.strip_prefix("keyspace_hits:")?.trim().parse().ok());
        hits.unwrap_or_else(|| panic!("no hits in {stats}"))
    }

    async fn try_command(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok(reply)
    }

    async fn answers(&self) {
        eventually("the cache answers", Deadline::SOON, async || {
            let reply = self.try_command("PING").await.map_err(|error| error.to_string())?;
            if reply.starts_with("+PONG") { Ok(()) } else { Err(reply) }
        })
        .await;
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16) -> Child {
    let program = make::root().join(".local/tools/redis/bin/redis-server");
    assert!(program.exists(), "{} is missing: `make test` installs it there", program.display());
    let mut server = Command::new(program);
    server.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    server.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}
