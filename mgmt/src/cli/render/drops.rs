//! What was dropped: each reason, and its last frames a line each.

use super::{Render, say, time};
use crate::api::view;
use crate::cli::table::{Style, Table, row};

impl Render for Vec<view::Dropped> {
    fn render(&self, style: Style) -> String {
        let asked_for_one = self.len() == 1;
        let shown: Vec<_> = self.iter().filter(|dropped| asked_for_one || dropped.count > 0).collect();
        if shown.is_empty() {
            return "no frame was dropped\n".to_owned();
        }
        let mut text = String::new();
        for dropped in shown {
            if !text.is_empty() {
                text.push('\n');
            }
            say(&mut text, format_args!("{}: {}; {}\n", dropped.code, dropped.count, dropped.meaning));
            text += &frames(&dropped.frames, style);
        }
        text
    }
}

fn frames(frames: &[view::DroppedFrame], style: Style) -> String {
    if frames.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(">AGO INTERFACE SERVICE SOURCE DESTINATION PROTOCOL >BYTES VLAN DETAIL", style);
    for frame in frames {
        let vlan = if frame.vlan == 0 { String::new() } else { frame.vlan.to_string() };
        table.push(row![
            time(frame.seconds_ago),
            frame.interface.clone().unwrap_or_default(),
            frame.service.clone().unwrap_or_default(),
            &frame.source,
            &frame.destination,
            &frame.protocol,
            frame.length,
            vlan,
            frame.detail.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fake;

    #[test]
    fn reasons_with_frames_are_shown_and_one_that_is_asked_for_in_any_case() {
        let all = fake::dropped();
        let text = "\
no-backend: 2; every backend of the service is down
 AGO  INTERFACE  SERVICE  SOURCE          DESTINATION    PROTOCOL  BYTES  VLAN  DETAIL
0.4s  eth0       web      10.0.0.2:40112  10.0.0.100:80  tcp          74  7     syn
";
        assert_eq!(all.render(Style::Plain), text);
        let none = vec![all[1].clone()];
        assert_eq!(none.render(Style::Plain), "truncated: 0; the frame ends too early\n");
        assert_eq!(Vec::<view::Dropped>::new().render(Style::Plain), "no frame was dropped\n");
    }
}
