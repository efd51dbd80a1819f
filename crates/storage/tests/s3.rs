//! Does a folder in a bucket hold what was put there, and is everything that can be wrong with one told apart?
//!
//! What only a whole server answers is asked of the one at `SCALELAB_S3_ENDPOINT` (`scripts/check-object-storage.sh` starts moto's); without it those
//! tests say that they were skipped. What goes wrong is answered by a listener of the test's own.
#![cfg(feature = "object-store")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use storage::{Address, BucketFolder, StorageError, Store as _, Whose};

const BUCKET: &str = "scalelab-storage";

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn open(at: &str, endpoint: &str) -> BucketFolder {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", endpoint),
        ("AWS_TIMEOUT", "2s"),
    ];
    BucketFolder::open_with(&address(at), &variables).expect("everything it takes is there")
}

/// A new bucket on the real server, and a folder in it.
fn folder(name: &str) -> Option<BucketFolder> {
    let Ok(endpoint) = std::env::var("SCALELAB_S3_ENDPOINT") else {
        println!("skipped: no SCALELAB_S3_ENDPOINT; scripts/check-object-storage.sh starts one");
        return None;
    };
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("the server is there");
    write!(stream, "PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    Some(open(&format!("s3://{BUCKET}/{name}"), &endpoint))
}

/// What comes of listing a folder of a server that gives this answer to everything.
fn refused(answer: &'static str) -> StorageError {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 8_192];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    open("s3://bucket/prefix", &endpoint).list("").expect_err("it refuses")
}

#[test]
fn files_come_back_as_they_were_sent() {
    let Some(bucket) = folder("round trip") else { return };
    let here = tempfile::tempdir().expect("a temporary folder");
    // One that goes in parts, one with names that are escaped on the way, one that is empty.
    let large: Vec<u8> = (0..(17_u32 << 20)).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files = [("large.bin", large.as_slice()), ("plots/a b+c=é.svg", b"plot"), ("empty", b"")];
    for (name, bytes) in files {
        let file = here.path().join("sent");
        std::fs::write(&file, bytes).expect("a writable folder");
        bucket.upload(&file, name).expect("it takes files");
    }
    for (name, bytes) in files {
        let object = bucket.stat(name).expect("it answers").expect("it is there");
        assert_eq!(object.bytes, bytes.len() as u64, "{name}");
        let file = here.path().join("come");
        bucket.download(&object, &file).expect("it gives files");
        assert!(std::fs::read(&file).expect("written") == bytes, "{name} is another");
    }
    let listing = bucket.list("").expect("it answers");
    let names: Vec<&str> = listing.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!((names, listing.folders), (vec!["empty", "large.bin"], vec!["plots".to_owned()]));
    assert!(bucket.list("plots").expect("it answers").has("a b+c=é.svg"));
    bucket.remove("empty").expect("it lets go");
    bucket.remove("empty").expect("what is gone is gone");
    assert_eq!(bucket.stat("empty").expect("it answers"), None);
}

#[test]
fn what_must_be_new_is_made_once() {
    let Some(bucket) = folder("once") else { return };
    bucket.create("part", b"mine").expect("it is new");
    bucket.create("part", b"mine").expect("the same bytes are this process's own");
    let error = bucket.create("part", b"another's").expect_err("it is there");
    assert!(error.is_taken && error.message.contains("is there already"), "{error}");
}

#[test]
fn what_was_replaced_is_not_read_for_what_it_was() {
    let Some(bucket) = folder("replaced") else { return };
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("file");
    std::fs::write(&file, "before").expect("a writable folder");
    bucket.upload(&file, "trace.csv").expect("it takes files");
    let object = bucket.stat("trace.csv").expect("it answers").expect("it is there");
    std::fs::write(&file, "after!").expect("a writable folder");
    bucket.upload(&file, "trace.csv").expect("it takes files");
    let error = bucket.download(&object, &here.path().join("come")).expect_err("it is another one");
    assert!(error.message.contains("was replaced"), "{error}");
}

#[test]
fn a_folder_is_tried_without_a_trace() {
    let Some(bucket) = folder("probe") else { return };
    bucket.probe().expect("it takes files");
    assert_eq!(bucket.list("").expect("it answers"), storage::Listing::default());
}

#[test]
fn a_bucket_that_is_not_there_is_a_mistake_of_the_user() {
    let Some(bucket) = folder("any") else { return };
    let endpoint = std::env::var("SCALELAB_S3_ENDPOINT").expect("it was there");
    let elsewhere = open("s3://scalelab-nowhere/prefix", &endpoint);
    assert_eq!(bucket.stat("nothing").expect("it answers"), None);
    for error in [
        elsewhere.list("").expect_err("none"),
        elsewhere.probe().expect_err("none"),
        elsewhere.stat("x").expect_err("none"),
    ] {
        assert_eq!(error.whose, Whose::Input, "{error}");
        assert!(error.message.contains("there is no bucket `scalelab-nowhere` (404"), "{error}");
    }
}

#[test]
fn refusals_say_which_credentials_they_are_about() {
    let error = refused("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert!(error.message.contains("not accepted (401)") && error.message.contains("AWS_ACCESS_KEY_ID"), "{error}");
    let error = refused(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 67\r\nConnection: close\r\n\r\n\
         <Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>",
    );
    assert!(error.message.starts_with("s3://bucket/prefix: may not list it (403: Not yours)"), "{error}");
    assert_eq!(error.whose, Whose::Input);
    let error = refused("HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert!(error.message.contains("another region"), "{error}");
}

#[test]
fn a_server_that_takes_and_does_not_answer_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let begun = Instant::now();
    let error = open("s3://bucket/prefix", &endpoint).list("").expect_err("nothing answers");
    assert!(begun.elapsed() < Duration::from_mins(1), "after {:?}", begun.elapsed());
    assert_eq!(error.whose, Whose::Environment, "{error}");
    assert!(error.message.contains("no answer when asked to list it"), "{error}");
}

#[test]
fn nobody_there_and_a_sick_server_are_the_environments() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let error = open("s3://bucket/prefix", &format!("http://127.0.0.1:{port}")).list("").expect_err("nobody is there");
    assert_eq!(error.whose, Whose::Environment, "{error}");
    let error = refused("HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(error.whose, Whose::Environment, "{error}");
    assert!(error.message.contains("answers 503"), "{error}");
}

#[test]
fn no_secret_goes_to_another_machine_without_tls() {
    let error = open("s3://bucket/prefix", "http://192.0.2.1:9000").list("").expect_err("refused before it is asked");
    assert_eq!(error.whose, Whose::Input, "{error}");
    assert!(error.message.contains("ALLOW_HTTP"), "{error}");
}
