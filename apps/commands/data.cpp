// evenkeel data: list, fetch and show data sets, and empty the cache of decoded pictures.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/interrupt.h"
#include "apps/commands/data_show.h"
#include "core/io/utf8.h"
#include "data/catalogue/fetch.h"
#include "data/catalogue/load.h"
#include "data/formats/picture_cache.h"

namespace evenkeel {
namespace {

struct ListOptions {
  std::string name, data_dir, mirror;
  Action action;
};

int list(const ListOptions& o, const DataSets& own) {
  std::vector<FoundDataset> found = list_datasets(o.data_dir);
  std::erase_if(found, [&](const FoundDataset& d) { return own.contains(d.name); });
  for (const auto& [name, load] : own) found.push_back({name, "", "", false});
  size_t name_width = 4, description_width = 11;
  for (const FoundDataset& d : found) {
    name_width = std::max(name_width, d.name.size());
    description_width = std::max(description_width, d.description.size());
  }
  say("{:<{}}  {:<{}}  {}\n", "name", name_width, "description", description_width, "where");
  for (const FoundDataset& d : found) {
    const std::string where = own.contains(d.name) ? "loaded by this program"
                              : d.drawn            ? "drawn, needs no file"
                              : d.where.empty()    ? "not here: evenkeel data fetch " + d.name
                                                   : on_one_line(d.where);
    say("{:<{}}  {:<{}}  {}\n", d.name, name_width, d.description, description_width, where);
  }
  return 0;
}

int fetch(const ListOptions& o) {
  check_dataset_name(o.name);
  Interrupt interrupt;
  Console console;
  FetchReport report;
  report.log = [&](const std::string& line) { console.note(line); };
  report.progress = [&](int64_t done, int64_t total) {
    if (interrupt.signal() != 0) throw Stopped{interrupt.signal()};
    const double part = static_cast<double>(done) / static_cast<double>(std::max<int64_t>(total, 1));
    console.live(fmt::format("{} {} {:.1f} of {:.1f} MB", o.name, progress_bar(part, 20),
                             1e-6 * static_cast<double>(done), 1e-6 * static_cast<double>(total)));
  };
  try {
    console.print(fetch_dataset(o.name, o.data_dir, o.mirror, report).string());
    return 0;
  } catch (const Stopped&) {
    console.note("evenkeel: stopped; incomplete files are removed");
    return 128 + interrupt.signal();
  }
}

int clear_cache() {
  const std::string folder = picture_cache_folder();
  const auto [files, bytes] = clear_picture_cache(folder);
  say("removed {} of decoded pictures, {:.1f} MB{}\n", counted(files, "file"), 1e-6 * static_cast<double>(bytes),
      folder.empty() ? "" : ", from " + folder);
  return 0;
}

}  // namespace

Action data_command(CLI::App& app, const Registry& registry) {
  const auto o = std::make_shared<ListOptions>();
  app.require_subcommand(1);
  CLI::App& listing = *app.add_subcommand("list", "List the data sets and where their files are.")->group("Commands");
  add_data_dir(listing, o->data_dir);
  listing.final_callback(
      [o, &registry] { o->action = [&options = *o, &registry] { return list(options, registry.data); }; });

  CLI::App& fetching =
      *app.add_subcommand("fetch", "Fetch a data set, check it, and put it where train finds it; print the folder.")
           ->group("Commands");
  fetching.add_option("NAME", o->name, "a data set, by its name in evenkeel data list")->required();
  add_data_dir(fetching, o->data_dir);
  add_text(fetching, "--mirror", o->mirror, "URL",
           "the only base URL of NAME/FILE (http, https or file); also $EVENKEEL_MIRROR");
  fetching.final_callback([o] { o->action = [&options = *o] { return fetch(options); }; });

  CLI::App& showing =
      *app.add_subcommand("show", "Show examples of each class in one picture, and count and measure the images.")
           ->group("Commands");
  const Action show = data_show_command(showing, registry);
  showing.final_callback([o, show] { o->action = show; });

  CLI::App& clearing =
      *app.add_subcommand("clear-cache", "Remove the cache of decoded pictures, with which train starts faster.")
           ->group("Commands");
  clearing.final_callback([o] { o->action = clear_cache; });
  return [o] { return o->action(); };
}

}  // namespace evenkeel
