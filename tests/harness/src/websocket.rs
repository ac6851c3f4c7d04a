//! WebSocket frames (RFC 6455 section 5) over any stream, for both ends: what a test sends and hears.

use std::{
    fmt,
    io::{self, Read, Write},
};

/// A longer message is an error.
const LIMIT: u64 = 64 << 20;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What one end says to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The end, with its code (1000 to 4999), where one is given, and its reason.
    Close(Option<u16>, String),
}

/// An open WebSocket: [`RequestBuilder::websocket`](crate::RequestBuilder::websocket) opens one,
/// [`WebSocket::server`] stands at the other end.
pub struct WebSocket<S> {
    stream: S,
    is_client: bool,
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("is_client", &self.is_client).finish_non_exhaustive()
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// The server's end of a connection that [`Response::websocket`](crate::Response::websocket) accepted.
    pub fn server(stream: S) -> Self {
        Self { stream, is_client: false }
    }

    pub(crate) fn client(stream: S) -> Self {
        Self { stream, is_client: true }
    }

    /// Sends a message in one frame.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        match message {
            Message::Text(text) => self.write(TEXT, text.as_bytes()),
            Message::Binary(bytes) => self.write(BINARY, bytes),
            Message::Close(None, _) => self.write(CLOSE, b""),
            Message::Close(Some(code), reason) => {
                self.write(CLOSE, &[&code.to_be_bytes()[..], reason.as_bytes()].concat())
            }
        }
    }

    /// The next message, its fragments joined. Pings are answered.
    pub fn receive(&mut self) -> io::Result<Message> {
        let mut whole = Vec::new();
        let mut kind = None;
        loop {
            let (last, opcode, payload) = self.read()?;
            match opcode {
                PING => self.write(PONG, &payload)?,
                PONG => {}
                CLOSE => {
                    let (code, reason) = payload.split_at_checked(2).unwrap_or_default();
                    let code = <[u8; 2]>::try_from(code).ok().map(u16::from_be_bytes);
                    return Ok(Message::Close(code, text(reason.to_vec())?));
                }
                TEXT | BINARY | CONTINUATION if kind.is_none() == (opcode != CONTINUATION) => {
                    whole.extend_from_slice(&payload);
                    let kind = *kind.get_or_insert(opcode);
                    match (last, kind) {
                        (true, TEXT) => return Ok(Message::Text(text(whole)?)),
                        (true, _) => return Ok(Message::Binary(whole)),
                        _ => {}
                    }
                }
                _ => return Err(broken("a frame out of order")),
            }
        }
    }

    fn read(&mut self) -> io::Result<(bool, u8, Vec<u8>)> {
        let [first, second] = self.bytes()?;
        if first & 0x70 != 0 {
            return Err(broken("a frame of an extension that nobody asked for"));
        }
        // A client masks, a server does not (section 5.1).
        if (second & 0x80 != 0) == self.is_client {
            return Err(broken("a frame masked by the wrong end"));
        }
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            short => u64::from(short),
        };
        if length > LIMIT {
            return Err(broken("a message that is too long"));
        }
        let mask: [u8; 4] = if self.is_client { [0; 4] } else { self.bytes()? };
        let mut payload = Vec::new();
        let got = (&mut self.stream).take(length).read_to_end(&mut payload)?;
        if u64::try_from(got).ok() != Some(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((first & 0x80 != 0, first & 0x0f, payload))
    }

    fn write(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | opcode];
        let masked = if self.is_client { 0x80 } else { 0 };
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short @ ..=125), _) => frame.push(masked + short),
            (_, Ok(medium)) => {
                frame.push(masked + 126);
                frame.extend(medium.to_be_bytes());
            }
            _ => {
                frame.push(masked + 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        if self.is_client {
            // Any mask does: it is there for proxies between, and here are none.
            frame.extend(MASK);
            frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            frame.extend_from_slice(payload);
        }
        self.stream.write_all(&frame)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| broken("text that is not UTF-8"))
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn messages_of_every_length_are_read_as_they_were_written_by_either_end() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let said = [
                Message::Text("é".repeat(length / 2)),
                Message::Binary(vec![0xff; length]),
                Message::Close(Some(4001), "bye".to_owned()),
                Message::Close(None, String::new()),
            ];
            for from_client in [true, false] {
                let mut writer = WebSocket { stream: VecDeque::new(), is_client: from_client };
                for message in &said {
                    writer.send(message).unwrap();
                }
                let mut reader = WebSocket { stream: writer.stream, is_client: !from_client };
                for message in &said {
                    assert_eq!(reader.receive().unwrap(), *message);
                }
            }
        }
    }

    /// RFC 6455 section 5.7.
    #[test]
    fn the_examples_of_the_specification_are_read() {
        let hear = |bytes: &[u8], is_client| {
            let mut socket = WebSocket { stream: VecDeque::from(bytes.to_vec()), is_client };
            let message = socket.receive();
            (message, Vec::from(socket.stream))
        };
        let hello = || Message::Text("Hello".to_owned());
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(hear(&masked, false).0.unwrap(), hello());
        let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
        assert_eq!(hear(&fragments, true).0.unwrap(), hello());
        let with_ping = [&[0x89, 0x01, 0x2a][..], &[0x81, 0x05], b"Hello"].concat();
        let (message, answered) = hear(&with_ping, true);
        assert_eq!(message.unwrap(), hello());
        assert_eq!(answered, [0x8a, 0x81, 0x37, 0xfa, 0x21, 0x3d, 0x2a ^ 0x37], "a pong");
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for bytes in [
            &[0x81][..],
            &[0x81, 0x05, b'a'],
            &[0xc1, 0x01, b'a'],
            &[0x81, 0x81, 0, 0, 0, 0, b'a'],
            &[0x80, 0x01, b'a'],
            &[0x81, 0x01, 0xff],
            &[0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            let mut socket = WebSocket { stream: VecDeque::from(bytes.to_vec()), is_client: true };
            assert!(socket.receive().is_err(), "{bytes:?}");
        }
    }
}
