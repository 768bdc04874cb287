// The files of the web console: our own from console/, and the libraries as Debian has them.
#include "console.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "../../console/index.html"
};
static const unsigned char advice_js[] = {
#embed "../../console/advice.js"
};
static const unsigned char api_js[] = {
#embed "../../console/api.js"
};
static const unsigned char app_js[] = {
#embed "../../console/app.js"
};
static const unsigned char download_js[] = {
#embed "../../console/download.js"
};
static const unsigned char editor_js[] = {
#embed "../../console/editor.js"
};
static const unsigned char events_js[] = {
#embed "../../console/events.js"
};
static const unsigned char grid_js[] = {
#embed "../../console/grid.js"
};
static const unsigned char livechart_js[] = {
#embed "../../console/livechart.js"
};
static const unsigned char overview_js[] = {
#embed "../../console/overview.js"
};
static const unsigned char query_js[] = {
#embed "../../console/query.js"
};
static const unsigned char result_js[] = {
#embed "../../console/result.js"
};
static const unsigned char resultchart_js[] = {
#embed "../../console/resultchart.js"
};
static const unsigned char snapshots_js[] = {
#embed "../../console/snapshots.js"
};
static const unsigned char statements_js[] = {
#embed "../../console/statements.js"
};
static const unsigned char style_css[] = {
#embed "../../console/style.css"
};
static const unsigned char tables_js[] = {
#embed "../../console/tables.js"
};
static const unsigned char theme_js[] = {
#embed "../../console/theme.js"
};
static const unsigned char ui_js[] = {
#embed "../../console/ui.js"
};
static const unsigned char codemirror_js[] = {
#embed "/usr/share/javascript/codemirror/lib/codemirror.js"
};
static const unsigned char codemirror_css[] = {
#embed "/usr/share/javascript/codemirror/lib/codemirror.css"
};
static const unsigned char sql_js[] = {
#embed "/usr/share/javascript/codemirror/mode/sql/sql.js"
};
static const unsigned char show_hint_js[] = {
#embed "/usr/share/javascript/codemirror/addon/hint/show-hint.js"
};
static const unsigned char show_hint_css[] = {
#embed "/usr/share/javascript/codemirror/addon/hint/show-hint.css"
};
static const unsigned char chart_js[] = {
#embed "/usr/share/javascript/chart.js/chart.min.js"
};

static const struct console_file files[] = {
    {"index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
    {"advice.js", "text/javascript; charset=utf-8", advice_js, sizeof advice_js},
    {"api.js", "text/javascript; charset=utf-8", api_js, sizeof api_js},
    {"app.js", "text/javascript; charset=utf-8", app_js, sizeof app_js},
    {"download.js", "text/javascript; charset=utf-8", download_js, sizeof download_js},
    {"editor.js", "text/javascript; charset=utf-8", editor_js, sizeof editor_js},
    {"events.js", "text/javascript; charset=utf-8", events_js, sizeof events_js},
    {"grid.js", "text/javascript; charset=utf-8", grid_js, sizeof grid_js},
    {"livechart.js", "text/javascript; charset=utf-8", livechart_js, sizeof livechart_js},
    {"overview.js", "text/javascript; charset=utf-8", overview_js, sizeof overview_js},
    {"query.js", "text/javascript; charset=utf-8", query_js, sizeof query_js},
    {"result.js", "text/javascript; charset=utf-8", result_js, sizeof result_js},
    {"resultchart.js", "text/javascript; charset=utf-8", resultchart_js, sizeof resultchart_js},
    {"snapshots.js", "text/javascript; charset=utf-8", snapshots_js, sizeof snapshots_js},
    {"statements.js", "text/javascript; charset=utf-8", statements_js, sizeof statements_js},
    {"style.css", "text/css; charset=utf-8", style_css, sizeof style_css},
    {"tables.js", "text/javascript; charset=utf-8", tables_js, sizeof tables_js},
    {"theme.js", "text/javascript; charset=utf-8", theme_js, sizeof theme_js},
    {"ui.js", "text/javascript; charset=utf-8", ui_js, sizeof ui_js},
    {"codemirror.js", "text/javascript; charset=utf-8", codemirror_js, sizeof codemirror_js},
    {"codemirror.css", "text/css; charset=utf-8", codemirror_css, sizeof codemirror_css},
    {"sql.js", "text/javascript; charset=utf-8", sql_js, sizeof sql_js},
    {"show-hint.js", "text/javascript; charset=utf-8", show_hint_js, sizeof show_hint_js},
    {"show-hint.css", "text/css; charset=utf-8", show_hint_css, sizeof show_hint_css},
    {"chart.js", "text/javascript; charset=utf-8", chart_js, sizeof chart_js},
};

const struct console_file *console_file_at(size_t index) {
  return index < sizeof files / sizeof *files ? &files[index] : NULL;
}
