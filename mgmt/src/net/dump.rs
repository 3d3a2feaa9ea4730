//! Everything that the kernel knows of the network, read in full.

use futures_util::future::ready;
use futures_util::{Stream, StreamExt, TryStreamExt};
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, IpVersion};

use super::netlink::event;
use super::{NetError, NetState};

/// Reads everything.
pub(super) async fn dump(handle: Handle) -> Result<NetState, NetError> {
    let mut fresh = NetState::default();
    let links = handle.link().get().execute();
    read(&mut fresh, "links", links, RouteNetlinkMessage::NewLink).await?;
    let addresses = handle.address().get().execute();
    read(&mut fresh, "addresses", addresses, RouteNetlinkMessage::NewAddress).await?;
    // Before the routes: they say which tables are of interest.
    for version in [IpVersion::V4, IpVersion::V6] {
        let rules = handle.rule().get(version).execute().take_while(|answer| ready(!is_unknown(answer)));
        read(&mut fresh, "policy rules", rules, RouteNetlinkMessage::NewRule).await?;
    }
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut filter = RouteMessage::default();
        filter.header.address_family = family;
        let routes = handle.route().get(filter).execute();
        read(&mut fresh, "routes", routes, RouteNetlinkMessage::NewRoute).await?;
    }
    let neighbours = handle.neighbours().get().execute();
    read(&mut fresh, "neighbours", neighbours, RouteNetlinkMessage::NewNeighbour).await?;
    let stations = handle.neighbours().get().set_address_family(AddressFamily::Bridge).execute();
    read(&mut fresh, "stations of bridges", stations, RouteNetlinkMessage::NewNeighbour).await?;
    Ok(fresh)
}

/// A kernel without policy rules, or without the family.
fn is_unknown<M>(answer: &Result<M, rtnetlink::Error>) -> bool {
    let unknown = [-libc::EOPNOTSUPP, -libc::EAFNOSUPPORT];
    matches!(answer, Err(rtnetlink::Error::NetlinkError(error)) if unknown.contains(&error.raw_code()))
}

async fn read<M>(
    state: &mut NetState,
    what: &str,
    messages: impl Stream<Item = Result<M, rtnetlink::Error>>,
    wrap: fn(M) -> RouteNetlinkMessage,
) -> Result<(), NetError> {
    let mut messages = std::pin::pin!(messages);
    while let Some(message) =
        messages.try_next().await.map_err(NetError::request(format!("cannot read the {what}")))?
    {
        if let Some(event) = event(wrap(message), false) {
            state.apply(event);
        }
    }
    Ok(())
}
