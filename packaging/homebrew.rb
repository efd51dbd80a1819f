# `brew install ./scalelab.rb`. Filled in by packaging/render.sh.
class Scalelab < Formula
  desc "Autoscaling simulator and cost lab for GPU inference on Kubernetes"
  homepage "https://github.com/@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/scalelab-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:scalelab-aarch64-apple-darwin.tar.gz@"
    end
    on_intel do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/scalelab-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:scalelab-x86_64-apple-darwin.tar.gz@"
    end
  end
  on_linux do
    on_arm do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/scalelab-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:scalelab-aarch64-unknown-linux-musl.tar.gz@"
    end
    on_intel do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/scalelab-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:scalelab-x86_64-unknown-linux-musl.tar.gz@"
    end
  end

  def install
    bin.install "scalelab"
    man1.install "man/scalelab.1"
    bash_completion.install "completions/scalelab.bash" => "scalelab"
    zsh_completion.install "completions/scalelab.zsh" => "_scalelab"
    fish_completion.install "completions/scalelab.fish"
  end

  test do
    assert_match "g5.xlarge", shell_output("#{bin}/scalelab prices show g5.xlarge")
  end
end
