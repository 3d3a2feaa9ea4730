//! Lines over a few places, with a legend beside them.

use crate::svg::{Anchor, COLOURS, Svg, step};

/// One line.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// By place; what was not measured is left out.
    pub(crate) values: Vec<Option<f64>>,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Plot<'p> {
    pub(crate) title: &'p str,
    pub(crate) x_axis: &'p str,
    pub(crate) y_axis: &'p str,
    pub(crate) places: Vec<String>,
    pub(crate) series: Vec<Series>,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 56.0;
/// Between the axis and the first place.
const INSET: f64 = 50.0;

#[expect(clippy::cast_precision_loss, reason = "a handful of places and series")]
pub(crate) fn draw(plot: &Plot<'_>) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text((16.0, 24.0), Anchor::Start, "title", plot.title);
    let most =
        plot.series.iter().flat_map(|series| series.values.iter().flatten()).copied().fold(0.0, f64::max);
    let each = step(most);
    let top = (most / each).ceil() * each;
    let y = |value: f64| HEIGHT - BOTTOM - value / top.max(1e-9) * (HEIGHT - TOP - BOTTOM);
    let gap = (WIDTH - LEFT - RIGHT - 2.0 * INSET) / (plot.places.len().max(2) - 1) as f64;
    let x = |place: usize| LEFT + INSET + place as f64 * gap;

    let mut mark = 0.0;
    while mark <= top * 1.001 {
        svg.line((LEFT, y(mark)), (WIDTH - RIGHT, y(mark)), "grid");
        let text = if each < 1.0 { format!("{mark:.1}") } else { format!("{mark:.0}") };
        svg.text((LEFT - 8.0, y(mark) + 4.5), Anchor::End, "faint", &text);
        mark += each;
    }
    for (place, name) in plot.places.iter().enumerate() {
        svg.text((x(place), HEIGHT - BOTTOM + 20.0), Anchor::Middle, "faint", name);
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    svg.text((middle, HEIGHT - 12.0), Anchor::Middle, "faint", plot.x_axis);
    svg.text_upwards((20.0, f64::midpoint(TOP, HEIGHT - BOTTOM)), plot.y_axis);

    for (number, series) in plot.series.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points =
            series.values.iter().enumerate().filter_map(|(place, value)| Some((x(place), y((*value)?))));
        svg.curve(&points.collect::<Vec<_>>(), colour);
        let row = TOP + 12.0 + number as f64 * 24.0;
        svg.rectangle((WIDTH - RIGHT + 20.0, row - 10.0), (12.0, 12.0), colour);
        svg.text((WIDTH - RIGHT + 40.0, row), Anchor::Start, "", &series.name);
    }
    svg.finish()
}
