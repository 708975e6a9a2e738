package v1alpha1_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

const crdFile = "../../config/crd/bases/lockstep.dev_lockstepclusters.yaml"

// admission is what the API server does with a manifest before it stores it,
// without the API server: unknown fields, defaults, schema, CEL rules.
type admission struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func readCRD(t *testing.T) (*apiextensionsv1.CustomResourceDefinition, *apiextensions.CustomResourceDefinition) {
	t.Helper()
	manifest, err := os.ReadFile(crdFile)
	if err != nil {
		t.Fatalf("read the generated CRD: %v", err)
	}
	external := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(manifest, external); err != nil {
		t.Fatalf("parse %s: %v", crdFile, err)
	}
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	scheme.Default(external)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(external, internal, nil); err != nil {
		t.Fatalf("convert the CRD: %v", err)
	}
	return external, internal
}

func newAdmission(t *testing.T) *admission {
	t.Helper()
	_, crd := readCRD(t)
	props := crd.Spec.Versions[0].Schema
	if props == nil {
		props = crd.Spec.Validation
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("read the CRD's schema: %v", err)
	}
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("build the schema validator: %v", err)
	}
	return &admission{
		structural: structural,
		schema:     validator,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}
}

// admit returns the object as it would be stored, and everything that the API
// server would say against it. old is nil for a creation.
func (a *admission) admit(t *testing.T, manifest string, old map[string]any) (map[string]any, string) {
	t.Helper()
	object := parseManifest(t, manifest)
	var complaints []string
	unknown := pruning.PruneWithOptions(object, a.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		complaints = append(complaints, "unknown field "+path)
	}
	defaulting.Default(object, a.structural)
	var previous any
	if old != nil {
		previous = old
		for _, err := range validation.ValidateCustomResourceUpdate(nil, object, old, a.schema) {
			complaints = append(complaints, err.Error())
		}
	} else {
		for _, err := range validation.ValidateCustomResource(nil, object, a.schema) {
			complaints = append(complaints, err.Error())
		}
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, a.structural, object) {
		complaints = append(complaints, err.Error())
	}
	errs, _ := a.rules.Validate(context.Background(), nil, a.structural, object, previous, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		complaints = append(complaints, err.Error())
	}
	return object, strings.Join(complaints, "\n")
}

func parseManifest(t *testing.T, manifest string) map[string]any {
	t.Helper()
	converted, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatalf("parse the manifest of the test: %v", err)
	}
	object := map[string]any{}
	// As the API server does: integers stay integers.
	if err := unmarshalJSON(converted, &object); err != nil {
		t.Fatalf("decode the manifest of the test: %v", err)
	}
	return object
}

// unmarshalJSON decodes numbers as int64 where they are whole.
func unmarshalJSON(data []byte, into *map[string]any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	wholeNumbers(*into)
	return nil
}

func wholeNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = wholeNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = wholeNumbers(item)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

func TestTheAPIServerAcceptsTheCRD(t *testing.T) {
	_, crd := readCRD(t)
	crd.Status.StoredVersions = []string{"v1alpha1"}
	if errs := crdvalidation.ValidateCustomResourceDefinition(context.Background(), crd); len(errs) > 0 {
		t.Errorf("the API server would refuse the CRD:\n%v", errs.ToAggregate())
	}
}
