//! Server-sent events, taken apart as they arrive, in time linear in their bytes. What an event holds is bounded by whoever feeds.

/// What has been read of a stream.
#[derive(Default)]
pub(crate) struct EventParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    id: Option<Vec<u8>>,
    /// The name of the event, where it is another than `message`.
    is_other: bool,
    /// The last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
}

/// An event that holds a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) data: Vec<u8>,
    /// The newest id that the stream has had, if this event brought one.
    pub(crate) id: Option<Vec<u8>>,
}

impl EventParser {
    /// Bytes that it holds.
    pub(crate) fn held(&self) -> usize {
        self.line.len() + self.data.len() + self.id.as_ref().map_or(0, Vec::len)
    }

    /// Reads on up to the end of the next event; how many bytes were read, and the event, if there was its end.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let mut read = 0;
        while let Some(rest) = bytes.get(read..).filter(|rest| !rest.is_empty()) {
            if std::mem::take(&mut self.after_return) && rest[0] == b'\n' {
                read += 1;
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.line.extend_from_slice(rest);
                return (bytes.len(), None);
            };
            self.line.extend_from_slice(&rest[..end]);
            self.after_return = rest[end] == b'\r';
            read += end + 1;
            if let Some(event) = self.end_line() {
                return (read, Some(event));
            }
        }
        (read, None)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let (data, has_data) = (std::mem::take(&mut self.data), std::mem::take(&mut self.has_data));
            let (id, is_other) = (self.id.take(), std::mem::take(&mut self.is_other));
            return (has_data && !is_other).then_some(Event { data, id });
        }
        let (field, value) = match memchr::memchr(b':', &line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => self.id = Some(value.to_owned()),
            b"event" => self.is_other = !value.is_empty() && value != b"message",
            // A comment, or something that is for browsers.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, Option<String>)> {
        let (mut parser, mut found) = (EventParser::default(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (read, event) = parser.read(rest);
                rest = &rest[read..];
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
                found.extend(event.map(|event| (text(event.data), event.id.map(text))));
            }
        }
        found
    }

    #[test]
    fn events_are_read_however_they_are_cut_and_whichever_line_ends_they_have() {
        let text = "\u{feff}: hello\n\nid: 7\nevent: message\ndata: {\"a\":\ndata: 1}\n\nevent: other\ndata: x\n\n:\n\ndata:y\nretry: 5\n\n";
        let expected = [("{\"a\":\n1}".to_owned(), Some("7".to_owned())), ("y".to_owned(), None)];
        for ends in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ends);
            assert_eq!(events(&[text.as_bytes()]), expected, "{ends:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(events(&bytes), expected, "{ends:?}");
        }
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        assert_eq!(events(&[b"data: {}\n"]), []);
        let mut parser = EventParser::default();
        parser.read(b"data: 123");
        assert_eq!(parser.held(), 9);
        parser.read(b"\nid: 4567\nevent");
        assert_eq!(parser.held(), 3 + 4 + 5);
    }
}
