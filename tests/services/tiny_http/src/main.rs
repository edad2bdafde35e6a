//! Orders in Redis behind a token, with `tiny_http`.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::{env, thread};

use redis::{Commands, Connection};
use roxmltree::Document;
use tiny_http::{Header, Method, Request, Response, Server};

type Failure = Box<dyn Error + Send + Sync>;

struct ServiceAnswer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl ServiceAnswer {
    fn xml(status: u16, body: String) -> Self {
        Self { status, headers: vec![("Content-Type", "application/xml".to_owned())], body }
    }

    fn refusal(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }
}

struct Orders {
    server: Server,
    tokens: Mutex<HashSet<String>>,
}

fn main() -> Result<(), Failure> {
    let port = env::args().nth(1).ok_or("the port is missing")?;
    let database = redis::Client::open(format!("redis://{}", env::var("REDIS")?))?;
    let server = Server::http(format!("127.0.0.1:{port}"))?;
    let orders = Orders { server, tokens: Mutex::default() };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| orders.serve(&database));
        }
    });
    Ok(())
}

impl Orders {
    fn serve(&self, database: &redis::Client) {
        let mut database = database.get_connection().expect("the database listens");
        for mut request in self.server.incoming_requests() {
            let answer = self.answer(&mut request, &mut database).unwrap_or_else(|error| {
                eprintln!("{} {}: {error}", request.method(), request.url());
                ServiceAnswer::refusal(500)
            });
            let mut response = Response::from_string(answer.body).with_status_code(answer.status);
            for (name, value) in answer.headers {
                response.add_header(Header::from_bytes(name, value).expect("a header"));
            }
            // The client may have gone.
            let _ = request.respond(response);
        }
    }

    fn answer(&self, request: &mut Request, database: &mut Connection) -> Result<ServiceAnswer, Failure> {
        let url = request.url().to_owned();
        match (request.method(), url.as_str()) {
            (Method::Get, "/health") => Ok(ServiceAnswer::refusal(204)),
            (Method::Post, "/login") => self.log_in(database),
            _ if !self.is_known(request) => Ok(ServiceAnswer::refusal(401)),
            (Method::Post, "/orders") => {
                let mut text = String::new();
                request.as_reader().read_to_string(&mut text)?;
                create(&text, database)
            }
            (Method::Get, "/orders?state=open") => search(database),
            (Method::Get, url) => match url.strip_prefix("/orders/") {
                Some(id) => read(id, database),
                None => Ok(ServiceAnswer::refusal(404)),
            },
            _ => Ok(ServiceAnswer::refusal(405)),
        }
    }

    fn log_in(&self, database: &mut Connection) -> Result<ServiceAnswer, Failure> {
        let number: u64 = database.incr("tokens", 1)?;
        let token = format!("token-{number}");
        self.tokens.lock().expect("no thread panics").insert(token.clone());
        Ok(ServiceAnswer::xml(200, format!("<Session><Token>{token}</Token></Session>")))
    }

    fn is_known(&self, request: &Request) -> bool {
        let tokens = self.tokens.lock().expect("no thread panics");
        let mut headers = request.headers().iter().filter(|it| it.field.equiv("X-Token"));
        headers.any(|header| tokens.contains(header.value.as_str()))
    }
}

fn create(text: &str, database: &mut Connection) -> Result<ServiceAnswer, Failure> {
    let order = Document::parse(text)?;
    let number = order.root_element().attribute("number").ok_or("an order has a number")?;
    let item = order.root_element().text().unwrap_or_default();
    let is_new: bool = database.sadd("numbers", number)?;
    if !is_new {
        return Ok(ServiceAnswer::refusal(409));
    }
    let id: u64 = database.incr("orders", 1)?;
    let body = order_xml(&id.to_string(), number, item);
    let _: () = redis::pipe().set(format!("order:{id}"), &body).lpush("open", &body).query(database)?;
    let mut answer = ServiceAnswer::xml(201, body);
    answer.headers.push(("Location", format!("/orders/{id}")));
    Ok(answer)
}

fn order_xml(id: &str, number: &str, item: &str) -> String {
    format!("<Order id=\"{id}\" number=\"{number}\"><Item>{item}</Item></Order>")
}

fn read(id: &str, database: &mut Connection) -> Result<ServiceAnswer, Failure> {
    let order: Option<String> = database.get(format!("order:{id}"))?;
    Ok(order.map_or_else(|| ServiceAnswer::refusal(404), |order| ServiceAnswer::xml(200, order)))
}

fn search(database: &mut Connection) -> Result<ServiceAnswer, Failure> {
    let orders: Vec<String> = database.lrange("open", 0, 9)?;
    let mut body = "<Orders state=\"open\">".to_owned();
    for order in &orders {
        let order = Document::parse(order)?;
        let root = order.root_element();
        let of = |name| root.attribute(name).unwrap_or_default();
        write!(body, "<Order id=\"{}\" number=\"{}\"/>", of("id"), of("number"))?;
    }
    body.push_str("</Orders>");
    Ok(ServiceAnswer::xml(200, body))
}
