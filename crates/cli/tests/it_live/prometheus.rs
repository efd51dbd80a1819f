//! A real Prometheus on loopback, filled before it starts. Where it is not installed, tests that need it say `skipped`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running Prometheus; it ends with the test.
pub struct Running {
    process: Child,
    pub url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts one with the samples of an OpenMetrics text in it; `None`, with a word, where there is none to start.
pub fn with_samples(folder: &Path, openmetrics: &str) -> Option<Running> {
    let is_there =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there("prometheus") || !is_there("promtool") {
        println!("skipped: no prometheus and promtool here (Debian: apt-get install prometheus)");
        return None;
    }
    let (text, data, config) = (folder.join("samples.om"), folder.join("tsdb"), folder.join("prometheus.yml"));
    std::fs::write(&text, openmetrics).expect("the samples");
    std::fs::write(&config, "scrape_configs: []\n").expect("the configuration");
    let made =
        Command::new("promtool").args(["tsdb", "create-blocks-from", "openmetrics"]).args([&text, &data]).output();
    let made = made.expect("promtool starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--storage.tsdb.retention.time=100y")
        // Samples of a text have no markers of staleness: what a scrape does not show is gone by the next.
        .arg("--query.lookback-delta=16s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let running = Running { process, url: format!("http://127.0.0.1:{port}") };
    let begun = Instant::now();
    while !is_ready(port) {
        assert!(begun.elapsed() < Duration::from_secs(40), "prometheus is not ready after 40 s");
        std::thread::sleep(Duration::from_millis(100));
    }
    Some(running)
}

fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.contains(" 200 ")
}
