// lockstep pool, volume and export.
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"
#include "base/units.h"

namespace lockstep::cli {

namespace {

void AddScrub(CLI::App& family, Cli& cli) {
  CLI::App* command = AddCommand(family, "scrub", "Read everything in a pool and compare it with its checksums",
                                 "  lockstep pool scrub main\n"
                                 "  lockstep pool scrub main --rate 50M --no-wait");
  struct Scrub {
    std::string pool, rate;
    bool no_wait = false;
  };
  auto scrub = std::make_shared<Scrub>();
  command->add_option("pool", scrub->pool, "Name or id")->required();
  command->add_option("--rate", scrub->rate, "Bytes to read per second at most; without it as fast as it goes")
      ->check(CheckSize);
  command->add_flag("--no-wait", scrub->no_wait, "Return when it has begun; it is a job");
  command->callback([&cli, scrub] {
    Json params = {{"pool", scrub->pool}};
    if (!scrub->rate.empty()) params["rate"] = scrub->rate;
    cli.RunJob("pool.scrub", params, !scrub->no_wait, ShowReplicaResult);
  });
}

void AddCheck(CLI::App& family, Cli& cli) {
  CLI::App* command = AddCommand(family, "check", "Hold a pool's index and counts against each other; reads no data",
                                 "  lockstep pool check main");
  auto name = std::make_shared<std::string>();
  command->add_option("pool", *name, "Name or id")->required();
  command->callback([&cli, name] { cli.RunCheck("pool.check", {{"pool", *name}}, ShowCheck); });
}

void AddDeviceCommands(CLI::App& pool, Cli& cli) {
  struct Device {
    std::string pool, device, size;
    bool no_wait = false;
  };
  CLI::App* add = AddCommand(pool, "add-device", "Give a pool one more file or block device, while it is used",
                             "  lockstep pool add-device main /dev/sdc\n"
                             "  lockstep pool add-device main /srv/more.pool --size 100G");
  auto added = std::make_shared<Device>();
  add->add_option("pool", added->pool, "Name or id")->required();
  add->add_option("path", added->device, "Block device, or file, with nothing on it")->required();
  add->add_option("--size", added->size, "Make the file with this size")->check(CheckSize);
  add->callback([&cli, added] {
    Json params = {{"pool", added->pool}, {"path", added->device}};
    if (!added->size.empty()) params["size"] = added->size;
    cli.Run("pool.add_device", params, ShowPool);
  });

  AddCommandForOne(pool, cli, "pool", "grow", "Take in what a pool's files or devices have become larger by",
                   "  truncate -s 200G /srv/lockstep/main.pool && lockstep pool grow main", ShowPool);

  CLI::App* remove = AddCommand(pool, "remove-device",
                                "Empty a device of a pool and let it go, as a job, while it is used",
                                "  lockstep pool remove-device main /dev/sdc\n"
                                "  lockstep pool remove-device main /srv/more.pool --no-wait");
  auto removed = std::make_shared<Device>();
  remove->add_option("pool", removed->pool, "Name or id")->required();
  remove->add_option("device", removed->device, "Path or id, as `lockstep pool show` has it")->required();
  remove->add_flag("--no-wait", removed->no_wait, "Return when it has begun; it is a job");
  remove->callback([&cli, removed] {
    cli.RunJob("pool.remove_device", {{"pool", removed->pool}, {"device", removed->device}}, !removed->no_wait,
               ShowReplicaResult);
  });
}

void AddMovingCommands(CLI::App& pool, Cli& cli) {
  CLI::App* leave = AddCommand(pool, "export", "Take leave of a pool, so that another machine can import it",
                               "  lockstep pool export main\n"
                               "  lockstep pool export main --index /mnt/stick/main.index");
  auto left = std::make_shared<std::pair<std::string, std::string>>();
  leave->add_option("pool", left->first, "Name or id")->required();
  leave->add_option("--index", left->second, "Move its index into this new directory; it has to go along");
  leave->callback([&cli, left] {
    Json params = {{"pool", left->first}};
    if (!left->second.empty()) params["index"] = left->second;
    cli.Run("pool.export", params, ShowExported);
  });

  CLI::App* import = AddCommand(pool, "import",
                                "Take in an exported pool with all that belongs to it, or one that has moved",
                                "  lockstep pool import /dev/sdb /dev/sdc --index /mnt/stick/main.index\n"
                                "  lockstep pool import /dev/disk/by-id/x1 /dev/disk/by-id/x2     (in any order)");
  struct Import {
    std::vector<std::string> paths;
    std::string name, index;
  };
  auto taken = std::make_shared<Import>();
  import->add_option("path", taken->paths, "All its devices and files, in any order")->required();
  import->add_option("--name", taken->name, "A new name; without it the one that it had");
  import->add_option("--index", taken->index, "Directory with its index, which is copied");
  import->callback([&cli, taken] {
    Json params = {{"paths", taken->paths}};
    if (!taken->name.empty()) params["name"] = taken->name;
    if (!taken->index.empty()) params["index"] = taken->index;
    cli.Run("pool.import", params, ShowPool);
  });
}

void AddResize(CLI::App& volume, Cli& cli) {
  CLI::App* resize = AddCommand(volume, "resize", "Make a volume larger, or smaller with the loss of what lies beyond",
                                "  lockstep volume resize db1 20G\n"
                                "  lockstep volume resize db1 5G --discard-data");
  struct Resize {
    std::string name, size;
  };
  auto resized = std::make_shared<Resize>();
  auto discard = std::make_shared<bool>(false);
  resize->add_option("volume", resized->name, "Name or id")->required();
  resize->add_option("size", resized->size, "The new size")->required()->check(CheckSize);
  resize->add_flag("--discard-data", *discard, "To make it smaller: all beyond the new end is lost, but for points");
  resize->callback([&cli, resized, discard] {
    Json params = {{"volume", resized->name}, {"size", resized->size}};
    if (*discard) params["discard_data"] = true;
    cli.Run("volume.resize", params, ShowVolume);
  });
}

}  // namespace

void AddPoolCommands(CLI::App& app, Cli& cli) {
  CLI::App* pool = AddFamily(app, "pool", "Storage that volumes are drawn from");

  CLI::App* create = AddCommand(*pool, "create", "Make a pool on a new file or a whole block device",
                                "  lockstep pool create main /srv/lockstep/main.pool --size 100G\n"
                                "  lockstep pool create fast /dev/nvme1n1");
  struct Create {
    std::string name, path, size;
  };
  auto made = std::make_shared<Create>();
  create->add_option("name", made->name, "Name of the pool")->required();
  create->add_option("path", made->path, "Block device, or file")->required();
  create->add_option("--size", made->size, "Make the file with this size; without it what is there is taken whole")
      ->check(CheckSize);
  create->callback([&cli, made] {
    Json params = {{"name", made->name}, {"path", made->path}};
    if (!made->size.empty()) params["size"] = made->size;
    cli.Run("pool.create", params, ShowPool);
  });

  CLI::App* add = AddCommand(*pool, "add", "Take in a pool that exists, with its volumes, as from another machine",
                             "  lockstep pool add old /dev/sdb");
  auto added = std::make_shared<Create>();
  add->add_option("name", added->name, "Name of the pool")->required();
  add->add_option("path", added->path, "Where it is")->required();
  add->callback([&cli, added] { cli.Run("pool.add", {{"name", added->name}, {"path", added->path}}, ShowPool); });

  AddCommand(*pool, "list", "List the pools", "  lockstep pool list --json")->callback([&cli] {
    cli.Run("pool.list", Json::object(), ShowPools);
  });
  AddShow(*pool, cli, "pool", ShowPool, "  lockstep pool show main");
  AddScrub(*pool, cli);
  AddCheck(*pool, cli);
  AddDeviceCommands(*pool, cli);
  AddMovingCommands(*pool, cli);
  AddCommandForOne(*pool, cli, "pool", "delete", "Delete a pool without volumes; its devices are free then, files stay",
                   "  lockstep pool delete old", ShowDeletedPool);
}

void AddVolumeCommands(CLI::App& app, Cli& cli) {
  CLI::App* volume = AddFamily(app, "volume", "Virtual disks");

  CLI::App* create = AddCommand(*volume, "create", "Make one volume, or several of a kind; they take space as written",
                                "  lockstep volume create db1 10G\n"
                                "  lockstep volume create web 20G --pool fast --count 3      (web_1, web_2, web_3)");
  struct Create {
    std::string name, size, pool;
    uint32_t count = 1;
  };
  auto made = std::make_shared<Create>();
  create->add_option("name", made->name, "Name of the volume")->required();
  create->add_option("size", made->size, "Size, as 10G or 4096 (powers of 1024)")->required()->check(CheckSize);
  create->add_option("--pool", made->pool, "Pool to draw it from; not needed when there is only one");
  create->add_option("--count", made->count, "How many; all or none are made")->check(CLI::Range(1, 1000));
  create->callback([&cli, made] {
    Json params = {{"name", made->name}, {"size", made->size}, {"count", made->count}};
    if (!made->pool.empty()) params["pool"] = made->pool;
    cli.Run("volume.create", params, ShowVolumes);
  });

  CLI::App* list = AddCommand(*volume, "list", "List the volumes",
                              "  lockstep volume list --pool main\n"
                              "  lockstep volume list --space");
  auto of_pool = std::make_shared<std::string>();
  auto space = std::make_shared<bool>(false);
  list->add_option("--pool", *of_pool, "Only those of this pool");
  list->add_flag("--space", *space, "Count also what each alone takes and what it shares: reads the index");
  list->callback([&cli, of_pool, space] {
    Json params = Json::object();
    if (!of_pool->empty()) params["pool"] = *of_pool;
    if (*space) params["space"] = true;
    cli.Run("volume.list", params, *space ? ShowVolumeSpaces : ShowVolumes);
  });
  AddShow(*volume, cli, "volume", ShowVolume, "  lockstep volume show db1");

  CLI::App* remove = AddCommand(*volume, "delete", "Delete volumes with all they hold; no way back",
                                "  lockstep volume delete db1_old db2_old");
  auto removed = std::make_shared<std::vector<std::string>>();
  remove->add_option("volume", *removed, "Names or ids")->required();
  remove->callback([&cli, removed] {
    for (const std::string& each : *removed) {
      if (!cli.Run("volume.delete", {{"volume", each}}, ShowNothing)) return;
    }
  });

  AddResize(*volume, cli);
  AddHistoryCommands(*volume, cli);

  CLI::App* rename =
      AddCommand(*volume, "rename", "Give a volume another name", "  lockstep volume rename db1 db_main");
  auto names = std::make_shared<std::pair<std::string, std::string>>();
  rename->add_option("volume", names->first, "Name or id")->required();
  rename->add_option("name", names->second, "The new name")->required();
  rename->callback([&cli, names] {
    cli.Run("volume.rename", {{"volume", names->first}, {"name", names->second}}, ShowVolume);
  });
}

void AddExportCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "export", "Volumes that NBD clients can reach");

  CLI::App* create = AddCommand(*family, "create", "Serve a volume over NBD",
                                "  lockstep export create db1\n"
                                "  lockstep export create db1_snap --name backup --read-only");
  struct Create {
    std::string volume, name;
    bool read_only = false;
  };
  auto made = std::make_shared<Create>();
  create->add_option("volume", made->volume, "Name or id")->required();
  create->add_option("--name", made->name, "Name that clients ask for; the volume's by default");
  create->add_flag("--read-only", made->read_only, "Refuse writes");
  create->callback([&cli, made] {
    Json params = {{"volume", made->volume}, {"read_only", made->read_only}};
    if (!made->name.empty()) params["name"] = made->name;
    cli.Run("export.create", params, ShowExport);
  });

  AddCommand(*family, "list", "List the exports", "  lockstep export list")->callback([&cli] {
    cli.Run("export.list", Json::object(), ShowExports);
  });
  AddShow(*family, cli, "export", ShowExport, "  lockstep export show db1");

  CLI::App* remove = AddCommand(*family, "delete", "Serve a volume no longer; the volume stays",
                                "  lockstep export delete db1\n"
                                "  lockstep export delete db1 --force        (disconnects its clients)");
  auto name = std::make_shared<std::string>();
  auto force = std::make_shared<bool>(false);
  remove->add_option("export", *name, "Name or id")->required();
  remove->add_flag("--force", *force, "Even while clients are connected");
  remove->callback([&cli, name, force] {
    cli.Run("export.delete", {{"export", *name}, {"force", *force}}, ShowNothing);
  });
}

}  // namespace lockstep::cli
