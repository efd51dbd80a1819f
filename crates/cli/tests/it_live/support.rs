//! Running the program in a folder of its own, and a server that answers as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

#[path = "../support/lab.rs"]
mod lab;

pub use lab::Lab;

/// What a server of this kind says to the path and query of a request; `None` says nothing for ever.
pub type Answers = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Answers requests on loopback as long as the test runs; its address.
pub fn serve(answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let address = listener.local_addr().expect("an address");
    let answers: Arc<Answers> = Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(stream, &*answers));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, answers: &Answers) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        request.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    match answers(&text) {
        Some(response) => drop(stream.write_all(response.as_bytes())),
        // Half dead: the connection stands until the other side has had enough.
        None => drop(stream.read(&mut byte)),
    }
}

/// A whole response.
pub fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
