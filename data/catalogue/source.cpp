#include "data/catalogue/source.h"

#include <cstdlib>
#include <optional>

#include "core/io/file.h"
#include "data/formats/cifar.h"
#include "data/formats/idx.h"
#include "data/synthetic.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(std::string_view text) {  // separated by commas
  std::vector<std::string> list(1);
  for (const char c : text) c == ',' ? list.emplace_back() : (list.back() += c, list.back());
  return list;
}

// Sizes and digests are those of the files as first published. The first mirrors are those of the sets' authors or
// their successors.
std::vector<Source> table() {
  const std::vector<std::string> train = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"};
  const std::vector<std::string> test = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
  const std::string digits = "0,1,2,3,4,5,6,7,8,9";
  const std::string shapes = "disc,ring,cross,triangle,square,bar,two bars,star,arc,two dots";
  std::vector<Source> t;
  t.push_back(
      {.name = "mnist",
       .description = "handwritten digits (LeCun et al. 1998)",
       .layout = Layout::idx,
       .image = {28, 28, 1},
       .classes = 10,
       .flips = false,
       .train_size = 60000,
       .test_size = 10000,
       .folder = "mnist",
       .train = train,
       .test = test,
       .class_names = words(digits),
       .mirrors = {"https://storage.googleapis.com/cvdf-datasets/mnist",
                   "https://ossci-datasets.s3.amazonaws.com/mnist", "http://yann.lecun.com/exdb/mnist"},
       .downloads = {
           {"train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
           {"train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
           {"t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
           {"t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}});
  t.push_back(
      {.name = "fashion-mnist",
       .description = "clothes (Xiao et al. 2017)",
       .layout = Layout::idx,
       .image = {28, 28, 1},
       .classes = 10,
       .flips = true,
       .train_size = 60000,
       .test_size = 10000,
       .folder = "fashion-mnist",
       .train = train,
       .test = test,
       .class_names = words("T-shirt/top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot"),
       .mirrors = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                   "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"},
       .downloads = {
           {"train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
           {"train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
           {"t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
           {"t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}});
  t.push_back(
      {.name = "emnist",
       .description = "handwritten digits and letters, the balanced split (Cohen et al. 2017)",
       .layout = Layout::idx,
       .image = {28, 28, 1},
       .classes = 47,
       .flips = false,
       .train_size = 112800,
       .test_size = 18800,
       .folder = "emnist",
       .train = {"emnist-balanced-train-images-idx3-ubyte", "emnist-balanced-train-labels-idx1-ubyte"},
       .test = {"emnist-balanced-test-images-idx3-ubyte", "emnist-balanced-test-labels-idx1-ubyte"},
       .transposed = true,
       .class_names = words(digits + ",A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z,a,b,d,e,f,g,h,n,q,r,t"),
       .mirrors = {"https://biometrics.nist.gov/cs_links/EMNIST", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST"},
       .downloads = {{"gzip.zip",
                      561753746,
                      "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
                      {"emnist-balanced-train-images-idx3-ubyte.gz", "emnist-balanced-train-labels-idx1-ubyte.gz",
                       "emnist-balanced-test-images-idx3-ubyte.gz", "emnist-balanced-test-labels-idx1-ubyte.gz"}}}});
  t.push_back(
      {.name = "emnist-letters",
       .description = "handwritten letters, capital or small (Cohen et al. 2017)",
       .layout = Layout::idx,
       .image = {28, 28, 1},
       .classes = 26,
       .flips = false,
       .train_size = 124800,
       .test_size = 20800,
       .folder = "emnist",
       .train = {"emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte"},
       .test = {"emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"},
       .transposed = true,
       .first_label = 1,
       .class_names = words("A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z"),
       .mirrors = t.back().mirrors,
       .downloads = {{"gzip.zip",
                      561753746,
                      t.back().downloads[0].sha256,
                      {"emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz",
                       "emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters-test-labels-idx1-ubyte.gz"}}}});
  t.push_back(
      {.name = "kmnist",
       .description = "cursive Japanese characters (Clanuwat et al. 2018)",
       .layout = Layout::idx,
       .image = {28, 28, 1},
       .classes = 10,
       .flips = false,
       .train_size = 60000,
       .test_size = 10000,
       .folder = "kmnist",
       .train = train,
       .test = test,
       .class_names = words("o,ki,su,tsu,na,ha,ma,ya,re,wo"),
       .mirrors = {"http://codh.rois.ac.jp/kmnist/dataset/kmnist"},
       .downloads = {
           {"train-images-idx3-ubyte.gz", 18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"},
           {"train-labels-idx1-ubyte.gz", 29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"},
           {"t10k-images-idx3-ubyte.gz", 3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"},
           {"t10k-labels-idx1-ubyte.gz", 5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"}}});
  t.push_back(
      {.name = "cifar10",
       .description = "photographs of 10 kinds of things (Krizhevsky 2009)",
       .layout = Layout::cifar,
       .image = {32, 32, 3},
       .classes = 10,
       .flips = true,
       .train_size = 50000,
       .test_size = 10000,
       .folder = "cifar-10-batches-bin",
       .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
       .test = {"test_batch.bin"},
       .class_names = words("airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"),
       .mirrors = {"https://www.cs.toronto.edu/~kriz"},
       .downloads = {{"cifar-10-binary.tar.gz",
                      170052171,
                      "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                      {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                       "data_batch_5.bin", "test_batch.bin"}}}});
  t.push_back(
      {.name = "cifar100",
       .description = "photographs of 100 kinds of things (Krizhevsky 2009)",
       .layout = Layout::cifar,
       .image = {32, 32, 3},
       .classes = 100,
       .flips = true,
       .train_size = 50000,
       .test_size = 10000,
       .folder = "cifar-100-binary",
       .train = {"train.bin"},
       .test = {"test.bin"},
       .label_bytes = 2,
       .class_names = words(
           "apple,aquarium_fish,baby,bear,beaver,bed,bee,beetle,bicycle,bottle,bowl,boy,bridge,bus,butterfly,camel,can,"
           "castle,"
           "caterpillar,cattle,chair,chimpanzee,clock,cloud,cockroach,couch,crab,crocodile,cup,dinosaur,dolphin,"
           "elephant,"
           "flatfish,forest,fox,girl,hamster,house,kangaroo,keyboard,lamp,lawn_mower,leopard,lion,lizard,lobster,man,"
           "maple_tree,motorcycle,mountain,mouse,mushroom,oak_tree,orange,orchid,otter,palm_tree,pear,pickup_truck,"
           "pine_tree,"
           "plain,plate,poppy,porcupine,possum,rabbit,raccoon,ray,road,rocket,rose,sea,seal,shark,shrew,skunk,"
           "skyscraper,snail,"
           "snake,spider,squirrel,streetcar,sunflower,sweet_pepper,table,tank,telephone,television,tiger,tractor,train,"
           "trout,"
           "tulip,turtle,wardrobe,whale,willow_tree,wolf,woman,worm"),
       .mirrors = {"https://www.cs.toronto.edu/~kriz"},
       .downloads = {{"cifar-100-binary.tar.gz",
                      168513733,
                      "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                      {"train.bin", "test.bin"}}}});
  t.push_back({.name = "synthetic",
               .description = "grey shapes, drawn by a small program: needs no file",
               .layout = Layout::drawn,
               .image = {28, 28, 1},
               .classes = 10,
               .flips = true,
               .train_size = 10000,
               .test_size = 2000,
               .class_names = words(shapes)});
  t.push_back({.name = "synthetic-color",
               .description = "coloured shapes, drawn by a small program: needs no file",
               .layout = Layout::drawn,
               .image = {32, 32, 3},
               .classes = 10,
               .flips = true,
               .train_size = 10000,
               .test_size = 2000,
               .class_names = words(shapes)});
  return t;
}

// The file of this name in a folder; an IDX file also as .idx3-ubyte for -idx3-ubyte, and each also with .gz.
std::optional<fs::path> find_file(const Source& source, const fs::path& folder, const std::string& file) {
  std::vector<std::string> names = {file};
  if (source.layout == Layout::idx) {
    std::string dotted = file;
    if (const size_t at = file.rfind("-idx"); at != std::string::npos) dotted[at] = '.';
    names = {file, file + ".gz", dotted, dotted + ".gz"};
  }
  std::error_code ignored;
  for (const std::string& name : names) {
    if (fs::exists(folder / name, ignored)) return folder / name;
  }
  return {};
}

Dataset read_part(const Source& source, const fs::path& folder, const std::vector<std::string>& files, int64_t size,
                  uint64_t stream) {
  Dataset data{.name = source.name,
               .image = source.image,
               .classes = source.classes,
               .flips = source.flips,
               .class_names = source.class_names};
  if (source.layout == Layout::drawn) {
    draw_shapes(data, size, Random().split("shapes").split(stream));
    return data;
  }
  std::vector<std::string> paths;
  for (const std::string& file : files) {
    const auto path = find_file(source, folder, file);
    if (!path)
      fail(Fault::missing, "{}: {} is missing; get the set again with evenkeel data fetch {}", source.name,
           (folder / file).string(), source.name);
    paths.push_back(path->string());
  }
  if (source.layout == Layout::idx) {
    read_idx_pair(data, paths.at(0), paths.at(1), source.transposed, source.first_label);
  } else {
    const int64_t records =
        size / static_cast<int64_t>(paths.size());  // of a set of the user's own: 0, as many as there are
    for (const std::string& path : paths) read_cifar(data, path, records, source.label_bytes);
  }
  return data;
}

}  // namespace

const std::vector<Source>& sources() {
  static const std::vector<Source> all = table();
  return all;
}

const Source& find_source(std::string_view name) {
  std::string names;
  for (const Source& source : sources()) {
    if (source.name == name) return source;
    names += (names.empty() ? "" : ", ") + source.name;
  }
  fail(Fault::usage, "data set '{}' is not known; there are {}", name, names);
}

std::vector<fs::path> data_roots(const std::string& data_dir) {
  if (!data_dir.empty()) return {data_dir};
  std::vector<fs::path> roots;
  if (const char* chosen = std::getenv("EVENKEEL_DATA"); chosen && *chosen) roots.emplace_back(chosen);
  if (const std::string cache = user_cache(); !cache.empty()) roots.emplace_back(cache);
  roots.push_back("/usr/share/datasets");
  return roots;
}

std::string first_lacking(const Source& source, const fs::path& folder) {
  for (const auto* files : {&source.train, &source.test}) {
    for (const std::string& file : *files) {
      if (!find_file(source, folder, file)) return file;
    }
  }
  return {};
}

DataSplit read_source(const Source& source, const fs::path& folder) {
  DataSplit split{read_part(source, folder, source.train, source.train_size, 1),
                  read_part(source, folder, source.test, source.test_size, 2)};
  for (const auto* files : {&source.train, &source.test})
    for (const std::string& file : *files) split.inputs.push_back(find_file(source, folder, file)->string());
  return split;
}

}  // namespace evenkeel
