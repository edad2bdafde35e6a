//! One request to a server that stands in for another.

#![expect(clippy::unwrap_used, reason = "a test that cannot reach its own server must fail")]

use std::thread;
use std::time::Duration;

use reqwest::{Client, Method};
use tokio::runtime::Runtime;

/// Sends a request; returns the status and the body of the response, whatever they are.
pub(crate) fn exchange(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, String) {
    let send = async {
        // The servers are on this machine and speak plain HTTP, but a client wants to know TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let mut request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    // The caller may be a server's own thread, which cannot wait for a runtime.
    thread::scope(|scope| scope.spawn(|| Runtime::new().unwrap().block_on(send)).join().unwrap())
}
