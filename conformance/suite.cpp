#include "conformance/suite.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "conformance/case_folder.h"
#include "conformance/corpus.h"
#include "conformance/golden.h"
#include "conformance/model_case.h"

namespace lockstep::conformance {
namespace {

Result<std::vector<Case>> generate_cases(const SuiteOptions& options) {
  std::vector<Case> cases;
  for (const Generator& generator : all_generators()) {
    auto family = generator.generate(options.generator);
    if (!family) return tl::unexpected(family.error());
    std::ranges::move(*family, std::back_inserter(cases));
  }
  if (options.quick) std::erase_if(cases, [](const Case& source) { return !source.is_quick; });
  return cases;
}

Status add_generated_cases(Suite& suite) {
  auto cases = generate_cases(suite.options);
  if (!cases) return tl::unexpected(cases.error());
  suite.cases = std::move(*cases);
  if (suite.options.generator.seed != GeneratorOptions{}.seed) return {};
  auto golden = parse_golden(embedded_golden_text());
  if (!golden) return tl::unexpected(golden.error());
  suite.recorded = std::move(*golden);
  return {};
}

// What the corpus was made with takes the place of the options for generators.
Status add_corpus_cases(Suite& suite) {
  auto corpus = read_corpus_file(suite.options.corpus);
  if (!corpus) return tl::unexpected(corpus.error());
  suite.cases = std::move(corpus->cases);
  if (suite.options.quick) {
    std::erase_if(suite.cases, [](const Case& source) { return !source.is_quick; });
  }
  suite.recorded = std::move(corpus->recorded);
  suite.version = std::move(corpus->suite_version);
  suite.corpus_digest = corpus->digest;
  suite.options.quick = suite.options.quick || corpus->is_quick;
  suite.options.generator = {.seed = corpus->seed, .random_cases = corpus->random_cases};
  return {};
}

Status add_folder_cases(Suite& suite) {
  for (const auto& path : suite.options.case_folders) {
    auto folder = read_case_folder(path);
    if (!folder) return tl::unexpected(folder.error());
    suite.recorded[folder->source.name] = folder->record();
    suite.cases.push_back(std::move(folder->source));
  }
  return {};
}

// One kind of them; models come on top.
Status add_cases(Suite& suite) {
  if (!suite.options.case_folders.empty()) return add_folder_cases(suite);
  return suite.options.corpus.empty() ? add_generated_cases(suite) : add_corpus_cases(suite);
}

Status add_model_cases(Suite& suite) {
  for (const auto& path : suite.options.models) {
    auto model = make_model_case(path);
    if (!model) return tl::unexpected(model.error());
    suite.cases.push_back(std::move(*model));
  }
  return {};
}

bool contains(const Case& source, const std::string& part) {
  return source.name.find(part) != std::string::npos;
}

Status filter_cases(const SuiteOptions& options, std::vector<Case>& cases) {
  for (const std::string& filter : options.filters) {
    if (std::ranges::none_of(cases, [&](const Case& source) { return contains(source, filter); })) {
      return make_error(ErrorCode::kInvalidArgument, "the name of no case contains '{}'", filter);
    }
  }
  std::erase_if(cases, [&](const Case& source) {
    const auto is_named = [&](const std::string& part) { return contains(source, part); };
    return (!options.filters.empty() && std::ranges::none_of(options.filters, is_named)) ||
           std::ranges::any_of(options.exclusions, is_named);
  });
  return {};
}

Status take_shard(const SuiteOptions& options, std::vector<Case>& cases) {
  if (options.shard_count < 1 || options.shard_index < 0 ||
      options.shard_index >= options.shard_count) {
    return make_error(ErrorCode::kInvalidArgument, "there is no shard {} of {}; the first is 0",
                      options.shard_index, options.shard_count);
  }
  int64_t index = 0;
  std::erase_if(cases,
                [&](const Case&) { return index++ % options.shard_count != options.shard_index; });
  return {};
}

Status check_names(const std::vector<Case>& cases) {
  std::set<std::string_view> names;
  for (const Case& source : cases) {
    if (!names.insert(source.name).second) {
      return make_error(ErrorCode::kInternal, "two cases are called '{}'", source.name);
    }
  }
  return {};
}

}  // namespace

const RecordedCase* Suite::record_of(const Case& source) const {
  const auto found = recorded.find(source.name);
  return found == recorded.end() ? nullptr : &found->second;
}

Digest Suite::identity() const {
  DigestBuilder builder;
  builder.add(version);
  for (const Case& source : cases) {
    builder.add(source.name);
    for (const auto& input : source.inputs) builder.add(input);
    for (const graph::Tensor& tensor : source.graph.tensors) builder.add(tensor.data);
  }
  return builder.finish();
}

Result<Suite> make_suite(const SuiteOptions& options) {
  Suite suite;
  suite.options = options;
  Status status = add_cases(suite);
  if (status) status = add_model_cases(suite);
  if (status) status = check_names(suite.cases);
  if (status) status = filter_cases(options, suite.cases);
  if (status) status = take_shard(options, suite.cases);
  if (!status) return tl::unexpected(status.error());
  return suite;
}

}  // namespace lockstep::conformance
