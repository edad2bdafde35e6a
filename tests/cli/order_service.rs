//! A small order service in this process: what scenarios of several operations are tried on.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Orders by their number, which is their place and one; what each operation got is counted.
pub(crate) struct OrderService {
    pub(crate) orders: Mutex<Vec<String>>,
    /// The operation that takes a while longer: its method.
    pub(crate) slow: Option<&'static str>,
    /// Whether it wants a token and a cookie of an earlier login, and no order twice.
    pub(crate) is_guarded: bool,
    pub(crate) logged_in: AtomicUsize,
    pub(crate) created: AtomicUsize,
    pub(crate) read: AtomicUsize,
    pub(crate) searched: AtomicUsize,
}

impl Default for OrderService {
    /// A service that has one order already.
    fn default() -> Self {
        Self {
            orders: Mutex::new(vec!["<Item>0</Item>".to_owned()]),
            slow: None,
            is_guarded: false,
            logged_in: AtomicUsize::default(),
            created: AtomicUsize::default(),
            read: AtomicUsize::default(),
            searched: AtomicUsize::default(),
        }
    }
}

/// The variable that has the port of a service which is a process of its own.
pub(crate) const PORT: &str = "ORDER_SERVICE_PORT";

/// The command that starts this service as a process; creating takes longer in the slow one.
pub(crate) fn command(is_slow: bool) -> String {
    let tests = std::env::current_exe().unwrap();
    let name = if is_slow { "serve_slowly" } else { "serve" };
    format!("{} order_service::{name}_as_a_process --exact --ignored", tests.display())
}

#[expect(clippy::disallowed_methods, reason = "a target learns its port from the environment")]
fn serve_at_port(service: OrderService) {
    let Ok(port) = std::env::var(PORT) else { return };
    Arc::new(service).listen(&TcpListener::bind(format!("127.0.0.1:{port}")).unwrap());
}

#[test]
#[ignore = "it is a target, which other tests start"]
fn serve_as_a_process() {
    serve_at_port(OrderService::default());
}

#[test]
#[ignore = "it is a target, which other tests start"]
fn serve_slowly_as_a_process() {
    serve_at_port(OrderService { slow: Some("POST"), ..OrderService::default() });
}

/// Takes most of a millisecond: a processor that sleeps instead answers the next request more slowly, too.
#[expect(clippy::disallowed_methods, reason = "the plant is a time, on any machine")]
fn work() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(800) {
        std::hint::spin_loop();
    }
}

/// A request, as far as the service looks at it.
struct Heard {
    method: String,
    path: String,
    head: String,
    body: String,
}

struct Answer {
    status: &'static str,
    headers: String,
    body: String,
}

impl Answer {
    fn xml(body: String) -> Self {
        Self { status: "200 OK", headers: String::new(), body }
    }

    fn refusal(status: &'static str) -> Self {
        Self { status, headers: String::new(), body: String::new() }
    }
}

impl OrderService {
    /// Answers until the process ends, and returns its URL.
    pub(crate) fn serve(self) -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = Arc::new(self);
        let shared = Arc::clone(&service);
        thread::spawn(move || shared.listen(&listener));
        (format!("http://{address}"), service)
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let (stream, service) = (stream.unwrap(), Arc::clone(self));
            thread::spawn(move || while service.exchange(&stream).is_some() {});
        }
    }

    fn exchange(&self, mut stream: &TcpStream) -> Option<()> {
        let heard = hear(stream)?;
        if self.slow.is_some_and(|slow| slow == heard.method) {
            work();
        }
        let Answer { status, headers, body } = self.answer(&heard);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).ok()
    }

    fn log_in(&self) -> Answer {
        let number = self.logged_in.fetch_add(1, Ordering::Relaxed);
        let headers = format!("Set-Cookie: sid=s{number}; Path=/; HttpOnly\r\n");
        let body = format!("{{\"access_token\": \"t{number}\"}}");
        Answer { status: "200 OK", headers, body }
    }

    /// Whether a request has the token and the cookie of one login.
    fn is_known(&self, heard: &Heard) -> bool {
        (0..self.logged_in.load(Ordering::Relaxed)).any(|number| {
            let has = |line: String| heard.head.lines().any(|other| other == line);
            has(format!("Authorization: Bearer t{number}")) && has(format!("Cookie: sid=s{number}"))
        })
    }

    fn answer(&self, heard: &Heard) -> Answer {
        let number = heard.path.strip_prefix("/orders/").and_then(|it| it.parse::<usize>().ok());
        if heard.path == "/login" {
            return self.log_in();
        }
        if self.is_guarded && heard.path != "/health" && !self.is_known(heard) {
            return Answer::refusal("401 Unauthorized");
        }
        match (heard.method.as_str(), number) {
            ("POST", None) if heard.path == "/orders" => {
                self.created.fetch_add(1, Ordering::Relaxed);
                let mut orders = self.orders.lock().unwrap();
                if self.is_guarded && orders.contains(&heard.body) {
                    return Answer::refusal("409 Conflict");
                }
                orders.push(heard.body.clone());
                let headers = format!("Location: /orders/{}\r\n", orders.len());
                Answer { status: "201 Created", headers, body: String::new() }
            }
            ("GET", Some(number)) => {
                self.read.fetch_add(1, Ordering::Relaxed);
                match self.orders.lock().unwrap().get(number.wrapping_sub(1)) {
                    Some(order) => Answer::xml(format!("<Order id=\"{number}\">{order}</Order>")),
                    None => Answer::refusal("404 Not Found"),
                }
            }
            ("OPTIONS", None) => Answer::xml("<Orders/>".to_owned()),
            ("GET", None) if heard.path.starts_with("/orders?") => {
                self.searched.fetch_add(1, Ordering::Relaxed);
                let known = self.orders.lock().unwrap().len();
                Answer::xml(format!("<Found><Known>{known}</Known><State>open</State></Found>"))
            }
            ("GET", None) if heard.path == "/health" => Answer::xml("<Up/>".to_owned()),
            _ => Answer::refusal("404 Not Found"),
        }
    }
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Heard { method, path, head, body: String::from_utf8(body).unwrap() })
}
