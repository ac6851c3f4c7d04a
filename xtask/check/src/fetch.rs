//! Sends the requests of `check --live` with Node.js, by the same program as the npm package: one client, with one set of limits.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use vestibule_check::live::{Answer, Fetch, Probe};

/// The program, which reads requests from its input and prints answers.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../npm/cli/fetch.mjs");

/// The variable in which xtask passes the Node.js that it uses.
const NODE: &str = "XTASK_NODE";

/// Node.js.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Why it could not be started.
    pub(crate) failure: Option<anyhow::Error>,
}

impl Fetch for Node {
    fn fetch(&mut self, probes: &[Probe]) -> Vec<Answer> {
        answers(probes).unwrap_or_else(|error| {
            self.failure = Some(error);
            probes.iter().map(|_| Answer::Failed("it was not asked".to_owned())).collect()
        })
    }
}

fn answers(probes: &[Probe]) -> Result<Vec<Answer>> {
    let node = std::env::var_os(NODE).unwrap_or_else(|| "node".into());
    let mut child = Command::new(node)
        .arg(PROGRAM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start Node.js, which sends the requests of --live")?;
    let input = serde_json::to_vec(probes)?;
    // Dropped at the end of the statement, so that the program sees the end of its input.
    child.stdin.take().context("Node.js has no input")?.write_all(&input)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{PROGRAM} ended with {}", output.status);
    let answers: Vec<Answer> =
        serde_json::from_slice(&output.stdout).context("Node.js printed no answers")?;
    ensure!(answers.len() == probes.len(), "Node.js answered {} of {} requests", answers.len(), probes.len());
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn probe(url: String) -> Probe {
        Probe {
            id: "x".to_owned(),
            method: "GET".to_owned(),
            url,
            headers: vec![("accept".to_owned(), "text/html".to_owned())],
            body: String::new(),
            timeout: 60_000,
            limit: 100,
        }
    }

    /// A server that answers each of its connections with the next text.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (answer, connection) in answers.into_iter().zip(listener.incoming()) {
                let mut connection = connection.unwrap();
                let mut head = [0; 2048];
                let _ = std::io::Read::read(&mut connection, &mut head);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        url
    }

    #[test]
    fn answers_are_bounded_and_redirects_are_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nok";
        let large = format!("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101));
        let url = server(vec![redirect.to_owned()]);
        let other = server(vec![large]);
        let answers =
            Node::default().fetch(&[probe(url), probe(other), probe("http://127.0.0.1:1/".to_owned())]);
        let [Answer::Received(received), Answer::Failed(large), Answer::Failed(refused)] = &answers[..]
        else {
            panic!("{answers:?}")
        };
        assert_eq!((received.status, received.body.as_str()), (302, "ok"));
        assert!(received.headers.contains(&("location".to_owned(), "http://127.0.0.1:1/".to_owned())));
        assert_eq!(large, "the answer is larger than 100 bytes");
        assert!(!refused.is_empty());
    }
}
