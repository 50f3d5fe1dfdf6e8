# Executes a formula with stand-ins for Homebrew's classes, which are not here: what it declares must be complete, and its
# `install` and `test` must run. Usage: ruby formula.rb FILE VERSION FOLDER, FOLDER holding what the archive would.
require "pathname"

class Formula
  FIELDS = %i[desc homepage url sha256 version license].freeze

  class << self
    attr_reader :variants, :said, :tests

    def inherited(child)
      super
      child.instance_variable_set(:@variants, [])
      child.instance_variable_set(:@said, {})
    end

    FIELDS.each do |field|
      define_method(field) do |value = nil|
        raise "#{field} is empty" if value.nil? || value.empty?

        @said[[*@where, field]] = value
        @variants << @where.to_a.dup if field == :url
      end
    end

    %i[on_macos on_linux on_arm on_intel].each do |place|
      define_method(place) do |&block|
        (@where ||= []).push(place)
        block.call
        @where.pop
      end
    end

    def depends_on(what) = (@said[:depends_on] = what)

    def conflicts_with(*what, because:) = (@said[:conflicts_with] = [what, because])

    def test(&block) = (@tests = block)
  end

  # A folder that notes what is put into it.
  class Folder
    attr_reader :files

    def initialize(path) = (@path, @files = path, [])

    def install(what)
      Array(what.is_a?(Hash) ? what.keys : what).each do |file|
        raise "#{file} is not in the archive" unless File.exist?(file)

        @files << file
      end
      raise "nothing to install" if Array(what).empty?
    end

    def /(other) = Pathname(@path) / other

    def to_s = @path
  end

  %i[bin man1 bash_completion zsh_completion fish_completion].each do |folder|
    define_method(folder) { (@folders ||= {})[folder] ||= Folder.new(folder == :bin ? Dir.pwd : folder.to_s) }
  end

  def version = ARGV[1]

  def system(*command) = (@commands ||= []) << command

  def std_cargo_args = %w[--locked --root=/prefix --path=.]

  def generate_completions_from_executable(*command) = (@commands ||= []) << command

  def shell_output(command)
    output = `#{command}`
    raise "#{command} failed" unless $?.success?

    output
  end

  def pipe_output(command, input, code)
    output = IO.popen(command, "r+") do |pipe|
      pipe.write(input)
      pipe.close_write
      pipe.read
    end
    raise "#{command} ended with #{$?.exitstatus}" unless $?.exitstatus == code

    output
  end

  def assert_match(wanted, text)
    raise "#{wanted.inspect} is not in #{text.inspect}" unless text.include?(wanted.to_s)
  end

  def installed = (@folders || {}).values.sum { |folder| folder.files.size } + (@commands || []).size
end

file, version, folder = ARGV
load file
formula = ObjectSpace.each_object(Class).find { |one| one < Formula }
said = formula.said
%i[desc homepage license].each { |field| raise "no #{field}" unless said[[field]] }
raise "#{said[[:desc]]}: too long or with an article" if said[[:desc]].length > 80 || said[[:desc]].match?(/\A(a|an|the) /i)

raise "no url" if formula.variants.empty?

formula.variants.each do |where|
  url = said.fetch([*where, :url])
  sum = said.fetch([*where, :sha256])
  raise "#{url} is not of #{version}" unless url.include?("/v#{version}/") && url.include?("-v#{version}-")
  raise "#{sum} is no SHA-256" unless sum.match?(/\A[0-9a-f]{64}\z/)
end
Dir.chdir(folder) do
  one = formula.new
  one.install
  raise "nothing is installed" unless one.installed.positive?

  one.instance_eval(&formula.tests)
  puts "#{formula}: #{formula.variants.size} archives, #{one.installed} things installed, test run"
end
