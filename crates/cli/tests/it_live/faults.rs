//! Each way in which a server can fail: exit code 2 or 3, what to do, nothing half-written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::{Lab, response, serve};

/// The last line of what an import says, with its exit code; nothing may be left.
fn fails(url: &str, flags: &str) -> String {
    let lab = Lab::new();
    lab.write("token", "sesame\n");
    let ran =
        lab.run(&format!("import prometheus --url {url} --service chat --retries 1 --timeout 700ms {flags} -o out"));
    assert_eq!(lab.names(), ["token"], "nothing is left\n{}", ran.stderr);
    let said = ran.stderr.lines().last().unwrap_or_default().replace(url, "URL");
    format!("{}: {said}", ran.code)
}

fn always(status: &'static str, body: &'static str) -> String {
    fails(&serve(move |_| Some(response(status, body))), "")
}

#[test]
fn each_failure_says_what_to_do_and_leaves_nothing() {
    let said = [
        always("401 Unauthorized", ""),
        fails(&serve(|_| Some(response("403 Forbidden", ""))), "--token-file token"),
        always("404 Not Found", "404 page not found"),
        always("503 Service Unavailable", "no"),
        always("200 OK", "<html>Log in</html>"),
        always("422 Unprocessable Entity", r#"{"status":"error","errorType":"execution","error":"too many samples"}"#),
        fails(&serve(|_| None), ""),
        fails(&serve(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"status\":".to_owned())), ""),
        always("429 Too Many Requests", ""),
        always("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"),
        always("200 OK", r#"{"status":"error","errorType":"timeout","error":"query timed\nout"}"#),
        always("200 OK", r#"{"status":"success","data":null}"#),
        fails("http://127.0.0.1:1", ""),
        fails("http://127.0.0.1:99999", ""),
        fails("http://127.0.0.1:9090/#/graph", ""),
        fails("localhost:9090", ""),
        fails("http://me:secret@127.0.0.1:9090", ""),
        fails("http://127.0.0.1:9090", "--token-file missing"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    2: error: URL: answers 401; it wants to know who asks: --token-file FILE
    2: error: URL: answers 403; the token of --token-file is not accepted
    2: error: URL: has no Prometheus API (404); the URL needs the path under which it is served, without `/api/v1`
    3: error: URL: answers 503; the server, or what stands before it, is not well (asked 2 times)
    2: error: what answers is no Prometheus API (expected value at line 1 column 1; the answer begins with `<html>Log in</html>`): the URL needs the path under which the API is served, and a page to log in on wants --token-file
    3: error: URL: a query fails there: execution: too many samples; --chunk asks for less at once
    3: error: URL: no whole answer within 700ms; --timeout allows more, --chunk asks for less at once (asked 2 times)
    3: error: URL: io: Peer disconnected; is it running, and is it reachable from here (kubectl port-forward)? (asked 2 times)
    3: error: URL: answers 429; it is asked too much: --chunk asks for less at once, or try again later (asked 2 times)
    2: error: URL: answers 400 (`Client sent an HTTP request to an HTTPS server. `): is it the API's address, and is it https?
    3: error: a query fails there: timeout: query timed out; --chunk asks for less at once
    3: error: an answer that is not one of the Prometheus API (invalid type: null, expected a sequence): is --url a Prometheus' address?
    3: error: URL: io: Connection refused (os error 111); is it running, and is it reachable from here (kubectl port-forward)? (asked 2 times)
    2: error: --url: needs a port of 1 to 65535, as in http://127.0.0.1:9090 or https://HOST/PATH
    2: error: --url: ends before the `?` or `#`, as in http://127.0.0.1:9090 or https://HOST/PATH
    2: error: --url: needs `http` or `https`, as in http://127.0.0.1:9090 or https://HOST/PATH
    2: error: --url: a password has no place in an address, which messages and files repeat; --token-file takes a token
    2: error: --token-file missing: No such file or directory (os error 2)
    ");
}

/// A Prometheus without a single series.
fn empty(request: &str) -> String {
    let is_values = request.contains("/values?");
    let data = if is_values { "[]" } else { r#"{"resultType":"vector","result":[]}"# };
    response("200 OK", &format!(r#"{{"status":"success","data":{data}}}"#))
}

#[test]
fn a_server_that_knows_nothing_of_the_service_is_told_from_one_without_it() {
    let url = serve(|request| Some(empty(request)));
    let said = fails(&url, "");
    assert!(said.starts_with("2: error: no counter of requests with {pod=~\"chat-("), "{said}");
    assert!(said.contains("--requests NAME names yours"), "{said}");
    let others = serve(|request| {
        let is_deployment = request.starts_with("GET /api/v1/label/deployment/");
        Some(if is_deployment {
            response("200 OK", r#"{"status":"success","data":["chad","embed"]}"#)
        } else {
            empty(request)
        })
    });
    let said = fails(&others, "");
    insta::assert_snapshot!(said, @"2: error: --service chat: no Deployment or StatefulSet of that name in this time; did you mean `chad`? (there are: chad, embed)");
}

#[test]
fn a_failure_that_passes_is_asked_again_and_the_token_is_sent() {
    let lab = Lab::new();
    lab.write("token", "sesame\n");
    let (asked, with_token) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&asked), Arc::clone(&with_token));
    let url = serve(move |request| {
        let is_first = counts.0.fetch_add(1, Ordering::SeqCst) == 0;
        let has_token = request.to_lowercase().contains("authorization: bearer sesame\r\n");
        counts.1.fetch_add(usize::from(has_token), Ordering::SeqCst);
        Some(if is_first { response("502 Bad Gateway", "") } else { empty(request) })
    });
    let ran = lab.run(&format!("import prometheus --url {url} --service chat --token-file token -o out"));
    assert!(ran.stderr.contains("no counter of requests"), "{}", ran.stderr);
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked > 1 && with_token.load(Ordering::SeqCst) == asked, "{asked}");
}

/// A service that has counted seven requests a second for ever.
fn steady(request: &str) -> String {
    let line = request.lines().next().unwrap_or_default();
    let Some((_, after)) = line.split_once("&time=") else {
        let is_name = line.contains("/label/__name__/");
        return if is_name {
            response("200 OK", r#"{"status":"success","data":["http_requests_total"]}"#)
        } else {
            empty(request)
        };
    };
    let end = after.split(['.', ' ']).next().and_then(|text| text.parse::<i64>().ok()).expect("a time");
    let values: Vec<String> =
        (end - 1_200..=end).filter(|at| at % 15 == 3).map(|at| format!("[{at},\"{}\"]", at * 7)).collect();
    let series = format!(r#"{{"metric":{{"pod":"chat-0"}},"values":[{}]}}"#, values.join(","));
    response("200 OK", &format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#))
}

#[test]
fn an_import_that_was_interrupted_goes_on_where_it_was() {
    let lab = Lab::new();
    let asked: Arc<Mutex<Vec<(bool, String)>>> = Arc::default();
    let log = Arc::clone(&asked);
    let url = serve(move |request| {
        let line = request.lines().next().unwrap_or_default().to_owned();
        let mut log = log.lock().expect("no test thread fails with it");
        // The fourth chunk of the first try is never answered.
        let fails = log.iter().filter(|(_, line)| line.contains("&time=")).count() == 3;
        log.push((!fails, line));
        Some(if fails { response("500 Internal Server Error", "") } else { steady(request) })
    });
    let command = format!(
        "import prometheus --url {url} --service chat --since 2h --until 2025-01-06T02:00:00Z --chunk 20m --retries 0 -o out"
    );
    let first = lab.run(&command);
    assert_eq!(first.code, 3, "{}", first.stderr);
    assert!(first.stderr.contains("the same command goes on from there"), "{}", first.stderr);
    assert_eq!(lab.names(), ["out"]);
    assert!(!lab.path("out/scenario.yaml").exists());

    let other = lab.run(&command.replace("--since 2h", "--since 3h"));
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("holds part of another import"), "{}", other.stderr);

    let second = lab.done(&command);
    assert!(second.stderr.contains("going on with the import from 2025-01-06T00:00:00Z"), "{}", second.stderr);
    assert!(second.stderr.contains("50400 requests between"), "{}", second.stderr);
    assert!(
        second
            .stderr
            .contains("note: service.model: no metric of a model server that is known is there: `slots` is a GUESS")
    );
    let mut answered: Vec<String> = asked
        .lock()
        .expect("whole")
        .iter()
        .filter(|(was, line)| *was && line.contains("&time="))
        .map(|(_, line)| line.clone())
        .collect();
    let count = answered.len();
    answered.sort();
    answered.dedup();
    assert_eq!((answered.len(), count), (7, 7), "no chunk is asked for again");
    let rates: Vec<String> = lab
        .read("out/traffic.csv")
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap_or_default().to_owned())
        .collect();
    assert!(rates.len() == 480 && rates.iter().all(|rate| rate == "7"), "{rates:?}");
    assert!(
        !lab.read("out/scenario.yaml").contains("recorded:"),
        "without kube-state-metrics nothing says how many replicas there were"
    );
}

/// Labels, and the value at a time in seconds.
type Counter = (&'static str, fn(i64) -> f64);

/// What an import says of these counters.
fn of_counters(counters: Vec<Counter>) -> String {
    let url = serve(move |request| {
        let line = request.lines().next().unwrap_or_default();
        let Some((_, after)) = line.split_once("&time=") else { return Some(steady(request)) };
        let end = after.split(['.', ' ']).next().and_then(|text| text.parse::<i64>().ok()).expect("a time");
        let series = counters.iter().map(|(labels, value)| {
            let times = (end - 1_200..=end).filter(|at| at % 15 == 3);
            let values: Vec<String> = times.map(|at| format!("[{at},\"{}\"]", value(at))).collect();
            format!(r#"{{"metric":{{"__name__":"http_requests_total",{labels}}},"values":[{}]}}"#, values.join(","))
        });
        let series: Vec<String> = series.collect();
        let data = format!(r#"{{"resultType":"matrix","result":[{}]}}"#, series.join(","));
        Some(response("200 OK", &format!(r#"{{"status":"success","data":{data}}}"#)))
    });
    let lab = Lab::new();
    let ran = lab.run(&format!(
        "import prometheus --url {url} --service chat --since 1h --until 2025-01-06T02:00:00Z --chunk 20m -o out"
    ));
    assert!(!lab.path("out/scenario.yaml").exists(), "{}", ran.stderr);
    format!("{}: {}", ran.code, ran.stderr.lines().last().unwrap_or_default())
}

#[test]
fn counters_that_are_none_and_counters_that_are_one_are_refused() {
    let grows = |at: i64| (at * 7) as f64;
    let said = [
        of_counters(vec![(r#""pod":"chat-0""#, |at| 40.0 - (at % 100) as f64)]),
        of_counters(vec![(r#""pod":"chat-0","job":"pods""#, grows), (r#""pod":"chat-0","job":"services""#, grows)]),
        of_counters(vec![(r#""pod":"chat-0""#, |_| 9.0)]),
        of_counters(vec![(r#""pod":"chat-0""#, |_| f64::NAN)]),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    2: error: http_requests_total is below zero at times, so it counts no requests: --requests names a counter that does
    2: error: http_requests_total of chat-0 is there twice, job="pods" and job="services", as if two monitors scraped one server, or two Prometheus answered together: requests would count twice; --match 'job="pods"' beside --match 'pod=~"NAME-.*"' takes one of them
    2: error: chat: http_requests_total counts no request in this time, so there is nothing to replay; --since and --until say another, --requests another counter
    2: error: chat: http_requests_total counts no request in this time, so there is nothing to replay; --since and --until say another, --requests another counter
    "#);
}

#[test]
fn an_answer_that_is_none_is_not_kept_for_the_next_try() {
    let lab = Lab::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let url = serve(move |request| {
        let is_chunk = request.lines().next().unwrap_or_default().contains("&time=");
        let number = if is_chunk { counts.fetch_add(1, Ordering::SeqCst) } else { 0 };
        Some(match number {
            // Thanos and Mimir answer in part, and say so.
            1 => {
                let body = steady(request);
                let body = body.split_once("\r\n\r\n").expect("a body").1;
                response("200 OK", &body.replacen('{', r#"{"warnings":["store a is down"],"#, 1))
            }
            2 => response("200 OK", "<html>Log in</html>"),
            _ => steady(request),
        })
    });
    let command = format!(
        "import prometheus --url {url} --service chat --since 1h --until 2025-01-06T02:00:00Z --chunk 20m --retries 0 -o out"
    );
    let first = lab.run(&command);
    assert!(first.code == 2 && first.stderr.contains("no Prometheus API"), "{}: {}", first.code, first.stderr);
    let second = lab.done(&command);
    assert!(second.stderr.contains("25200 requests between"), "{}", second.stderr);
    let warned = "the server warns that its answers may lack something: store a is down";
    assert!(second.stderr.contains(&format!("note: {warned}")), "{}", second.stderr);
    assert!(lab.read("out/scenario.yaml").contains(warned));
}
