//! A client of the sample service: one connection, framed binary, one call at a time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier,
    TMapIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TSerializable, TSetIdentifier,
    TStructIdentifier, TType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::dial::{Dial, Stream};

use super::generated::users::User;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// `getUser`.
    One(i64),
    /// `listUsers`.
    Several(std::ops::Range<i64>),
}

/// What came back.
#[derive(Debug)]
pub(super) enum Said {
    /// The users asked for.
    Users(Vec<User>),
    /// An exception, declared or not, in its words.
    Exception(String),
}

/// A connection to the gateway.
pub(super) struct Client {
    stream: Box<dyn Stream>,
    seqid: i32,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(dial: &Arc<dyn Dial>, gateway: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: dial.dial(gateway).await?, seqid: 0 })
    }

    /// Asks, and waits for the reply.
    pub(super) async fn ask(&mut self, question: &Question) -> io::Result<Said> {
        self.seqid = self.seqid.wrapping_add(1);
        let call = encode(question, self.seqid).map_err(io::Error::other)?;
        let exchange = async {
            self.stream.write_all(&call).await?;
            let length = usize::try_from(self.stream.read_u32().await?).map_err(io::Error::other)?;
            if length > REPLY_MAX {
                return Err(io::Error::other("the reply is too long"));
            }
            let mut reply = vec![0; length];
            self.stream.read_exact(&mut reply).await?;
            Ok(reply)
        };
        let reply = timeout(PATIENCE, exchange).await??;
        decode(&reply, self.seqid).map_err(io::Error::other)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(id) => write!(f, "getUser({id})"),
            Self::Several(ids) => write!(f, "listUsers({} to {})", ids.start, ids.end - 1),
        }
    }
}

fn encode(question: &Question, seqid: i32) -> thrift::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    let mut out = TBinaryOutputProtocol::new(&mut bytes, true);
    match question {
        Question::One(id) => {
            begin(&mut out, "getUser", seqid)?;
            out.write_field_begin(&TFieldIdentifier::new("id", TType::I64, 1))?;
            out.write_i64(*id)?;
            // It differs from call to call; the rule ignores it.
            out.write_field_begin(&TFieldIdentifier::new("trace_id", TType::String, 2))?;
            out.write_string(&format!("demo-{seqid}"))?;
        }
        Question::Several(ids) => {
            begin(&mut out, "listUsers", seqid)?;
            out.write_field_begin(&TFieldIdentifier::new("ids", TType::Set, 1))?;
            let count = i32::try_from(ids.end - ids.start).unwrap_or_default();
            out.write_set_begin(&TSetIdentifier::new(TType::I64, count))?;
            // Backwards or forwards: a set has no order, and the key of the cache has none either.
            let ids: Vec<i64> =
                if seqid % 2 == 0 { ids.clone().collect() } else { ids.clone().rev().collect() };
            ids.iter().try_for_each(|id| out.write_i64(*id))?;
            out.write_field_begin(&TFieldIdentifier::new("filter", TType::Map, 2))?;
            out.write_map_begin(&TMapIdentifier::new(TType::String, TType::String, 0))?;
        }
    }
    out.write_field_stop()?;
    out.write_message_end()?;
    let length = u32::try_from(bytes.len() - 4).unwrap_or_default().to_be_bytes();
    if let Some(head) = bytes.get_mut(..4) {
        head.copy_from_slice(&length);
    }
    Ok(bytes)
}

fn begin(out: &mut impl TOutputProtocol, method: &str, seqid: i32) -> thrift::Result<()> {
    out.write_message_begin(&TMessageIdentifier::new(method, TMessageType::Call, seqid))?;
    out.write_struct_begin(&TStructIdentifier::new("args"))
}

fn decode(reply: &[u8], seqid: i32) -> thrift::Result<Said> {
    let mut input = TBinaryInputProtocol::new(reply, true);
    let message = input.read_message_begin()?;
    if message.sequence_number != seqid {
        return Err(format!("the reply to call {seqid} has the seqid {}", message.sequence_number).into());
    }
    if message.message_type == TMessageType::Exception {
        let exception = thrift::Error::read_application_error_from_in_protocol(&mut input)?;
        return Ok(Said::Exception(exception.message));
    }
    input.read_struct_begin()?;
    let field = input.read_field_begin()?;
    match (field.field_type, field.id) {
        (TType::Struct, Some(0)) => Ok(Said::Users(vec![User::read_from_in_protocol(&mut input)?])),
        (TType::List, Some(0)) => {
            let TListIdentifier { size, .. } = input.read_list_begin()?;
            let users =
                (0..size).map(|_| User::read_from_in_protocol(&mut input)).collect::<Result<_, _>>()?;
            Ok(Said::Users(users))
        }
        (_, Some(1)) => Ok(Said::Exception("no such user".to_owned())),
        (_, id) => Ok(Said::Exception(format!("declared exception {}", id.unwrap_or_default()))),
    }
}

/// Far beyond any reply of the sample service.
const REPLY_MAX: usize = 1 << 20;
/// Far beyond what the gateway lets a call take; only a stuck demo waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use thrift::server::TProcessor;

    use crate::demo::backend::ANSWERED_AT;
    use crate::demo::generated::users::{UserServiceSyncHandler, UserServiceSyncProcessor};

    struct Service;

    impl UserServiceSyncHandler for Service {
        fn handle_get_user(&self, id: i64, _: String) -> thrift::Result<User> {
            if id < 0 {
                return Err(thrift::Error::from("out of order"));
            }
            let attributes = std::collections::BTreeMap::from([(ANSWERED_AT.to_owned(), "17".to_owned())]);
            Ok(User { id: Some(id), attributes: Some(attributes), ..User::default() })
        }
        fn handle_list_users(
            &self,
            ids: std::collections::BTreeSet<i64>,
            _: std::collections::BTreeMap<String, String>,
        ) -> thrift::Result<Vec<User>> {
            ids.into_iter().map(|id| self.handle_get_user(id, String::new())).collect()
        }
        fn handle_ping(&self) -> thrift::Result<()> {
            Ok(())
        }
        fn handle_rename_user(&self, _: i64, _: String) -> thrift::Result<()> {
            Ok(())
        }
        fn handle_touch(&self, _: i64) -> thrift::Result<()> {
            Ok(())
        }
    }

    fn served(question: &Question, seqid: i32) -> Said {
        let call = encode(question, seqid).unwrap();
        assert_eq!(call[..4], u32::try_from(call.len() - 4).unwrap().to_be_bytes());
        let mut reply = Vec::new();
        let mut input = TBinaryInputProtocol::new(&call[4..], true);
        let mut output = TBinaryOutputProtocol::new(&mut reply, true);
        UserServiceSyncProcessor::new(Service).process(&mut input, &mut output).unwrap();
        decode(&reply, seqid).unwrap()
    }

    fn ids(said: &Said) -> Vec<i64> {
        match said {
            Said::Users(users) => users.iter().filter_map(|user| user.id).collect(),
            Said::Exception(message) => panic!("{message}"),
        }
    }

    #[test]
    fn the_generated_code_understands_the_client_and_is_understood() {
        assert_eq!(ids(&served(&Question::One(7), 1)), [7]);
        assert_eq!(ids(&served(&Question::Several(3..6), 1)), [3, 4, 5]);
        assert_eq!(ids(&served(&Question::Several(3..6), 2)), [3, 4, 5]);
        assert!(
            matches!(served(&Question::One(-1), 9), Said::Exception(message) if message.contains("out of order"))
        );
    }

    #[test]
    fn a_reply_to_another_call_is_refused() {
        let mut reply = Vec::new();
        let mut output = TBinaryOutputProtocol::new(&mut reply, true);
        output.write_message_begin(&TMessageIdentifier::new("getUser", TMessageType::Reply, 4)).unwrap();
        assert!(decode(&reply, 5).is_err());
    }
}
