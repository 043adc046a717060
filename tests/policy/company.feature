Feature: the company's rules

  Scenario: images come from the company's registry
    Given I have RunaiEnvironment defined
    Then it must contain image
    And its value must match the "^registry.example/.*" regex

  Scenario: nothing is taken over
    Given I have RunaiEnvironment defined
    Then it must contain metadata
    And it must contain adopt
    And its value must match the "False" regex
