//! Bars from left to right, in groups under each other.

use crate::svg::{Anchor, COLOURS, Svg, step};

/// A figure.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The lowest and the highest window.
    pub(crate) spread: Option<(f64, f64)>,
    /// Ours, and not a peer's.
    pub(crate) is_own: bool,
}

/// Figures to be compared with each other.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

const WIDTH: f64 = 820.0;
const LEFT: f64 = 240.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 44.0;
const BAR: f64 = 22.0;
const ROW: f64 = 30.0;
const HEADING: f64 = 28.0;
const FOOT: f64 = 74.0;

pub(crate) fn draw(title: &str, unit: &str, groups: &[Group]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let heights = groups.iter().map(|group| heading(group) + group.bars.len() as f64 * ROW);
    let bottom = TOP + heights.sum::<f64>();
    let mut svg = Svg::new(WIDTH, bottom + FOOT);
    svg.text((16.0, 24.0), Anchor::Start, "title", title);

    let bars = || groups.iter().flat_map(|group| &group.bars);
    let most = bars().map(|bar| bar.spread.map_or(bar.value, |(_, high)| high)).fold(0.0, f64::max);
    let x = |value: f64| LEFT + value / most.max(1e-9) * (WIDTH - LEFT - RIGHT);
    let each = step(most);
    let mut mark = 0.0;
    while mark <= most * 1.001 {
        svg.line((x(mark), TOP - 4.0), (x(mark), bottom + 2.0), "grid");
        svg.text((x(mark), bottom + 18.0), Anchor::Middle, "faint", &short(mark, each));
        mark += each;
    }
    svg.text((x(most / 2.0), bottom + 38.0), Anchor::Middle, "faint", unit);

    let mut y = TOP;
    for group in groups {
        if !group.title.is_empty() {
            svg.text((16.0, y + 18.0), Anchor::Start, "faint", &group.title);
        }
        y += heading(group);
        for bar in &group.bars {
            row(&mut svg, bar, y, x);
            y += ROW;
        }
    }
    legend(&mut svg, bottom + 60.0, bars().any(|bar| !bar.is_own), bars().any(|bar| bar.spread.is_some()));
    svg.finish()
}

fn heading(group: &Group) -> f64 {
    if group.title.is_empty() { 0.0 } else { HEADING }
}

fn row(svg: &mut Svg, bar: &Bar, y: f64, x: impl Fn(f64) -> f64) {
    let middle = y + BAR / 2.0;
    svg.text((LEFT - 10.0, middle + 4.5), Anchor::End, "", &bar.name);
    let colour = if bar.is_own { COLOURS[0] } else { COLOURS[7] };
    svg.rectangle((LEFT, y), (x(bar.value) - LEFT, BAR), colour);
    let mut end = x(bar.value);
    if let Some((low, high)) = bar.spread {
        svg.line((x(low), middle), (x(high), middle), "whisker");
        for at in [low, high] {
            svg.line((x(at), middle - 5.0), (x(at), middle + 5.0), "whisker");
        }
        end = end.max(x(high));
    }
    svg.text((end + 8.0, middle + 4.5), Anchor::Start, "", &figure(bar.value));
}

fn legend(svg: &mut Svg, y: f64, has_peers: bool, has_spread: bool) {
    let mut x = LEFT;
    let mut entry = |svg: &mut Svg, colour: &str, name: &str| {
        svg.rectangle((x, y - 10.0), (12.0, 12.0), colour);
        svg.text((x + 18.0, y), Anchor::Start, "faint", name);
        x += 110.0;
    };
    if has_peers {
        entry(svg, COLOURS[0], "Penstock");
        entry(svg, COLOURS[7], "others");
    }
    if has_spread {
        svg.text((x, y), Anchor::Start, "faint", "bar: median; line: lowest and highest window");
    }
}

/// With three digits that mean something.
fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn short(mark: f64, each: f64) -> String {
    if each < 1.0 { format!("{mark:.1}") } else { format!("{mark:.0}") }
}
