package main

import (
	"context"
	"fmt"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// bundleDir is where the scorecard puts the bundle.
const bundleDir = "/bundle"

// bundleHasNoWildcard reads every right that the bundle asks for or gives.
func bundleHasNoWildcard(context.Context) error {
	bundle, err := manifests.GetBundleFromDir(bundleDir)
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	strategy := bundle.CSV.Spec.InstallStrategy.StrategySpec
	seen := 0
	for _, permissions := range [][]v1alpha1.StrategyDeploymentPermissions{strategy.Permissions, strategy.ClusterPermissions} {
		for _, p := range permissions {
			seen += len(p.Rules)
			if err := noWildcard("service account "+p.ServiceAccountName, p.Rules); err != nil {
				return err
			}
		}
	}
	if seen == 0 {
		return fmt.Errorf("the bundle asks for no rights at all, so this test has read the wrong thing")
	}
	for _, object := range bundle.Objects {
		if object.GetKind() != "ClusterRole" && object.GetKind() != "Role" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			return fmt.Errorf("read %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := noWildcard(object.GetKind()+" "+object.GetName(), role.Rules); err != nil {
			return err
		}
	}
	return nil
}

func noWildcard(whose string, rules []rbacv1.PolicyRule) error {
	for _, rule := range rules {
		for _, words := range [][]string{rule.Verbs, rule.APIGroups, rule.Resources, rule.NonResourceURLs} {
			for _, word := range words {
				if word == "*" {
					return fmt.Errorf("%s has a wildcard in %v", whose, rule)
				}
			}
		}
	}
	return nil
}
